"""Confusion matrix, and precision, recall and F1 of each class."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from dlcli.core.learner import TableArtifact
from dlcli.core.spec import Classes
from dlcli.core.task import Batch, HasClasses, Metrics, Task

_MAX_CLASSES = 1000  # the matrix has the square of this number of entries


class ConfusionMatrix:
    """Confusion matrix: counts of (true, predicted) classes, accumulated while a split is scored.

    Args:
        names: class names by class index.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._counts = torch.zeros(len(self.names) ** 2, dtype=torch.int64)

    @classmethod
    def of(cls, task: Task) -> "ConfusionMatrix | None":
        """Return an empty matrix for a classification task; None for other tasks and for more than 1,000 classes."""
        target = task.spec.target
        is_supported = isinstance(target, Classes) and not target.positions and target.count <= _MAX_CLASSES
        return cls(task.classes) if is_supported and isinstance(task, HasClasses) else None

    def see(self, batch: Batch, metrics: Metrics) -> None:
        """Count the predictions of a batch; rows without a label are ignored."""
        if metrics.output is None:
            return
        count = len(self.names)
        labeled = (batch.target >= 0) & (batch.target < count)
        pairs = (batch.target * count + metrics.output.argmax(1))[labeled]
        self._counts = self._counts.to(pairs.device) + torch.bincount(pairs, minlength=count**2)

    @property
    def counts(self) -> Int64[Tensor, "true predicted"]:
        """The matrix, int64 [true class, predicted class], on the CPU."""
        return self._counts.view(len(self.names), -1).cpu()

    def per_class(self) -> TableArtifact:
        """Return precision, recall, F1 and number of samples of each class; 0 if a denominator is 0 (scikit-learn)."""
        counts = self.counts.double()
        correct, predicted, support = counts.diagonal(), counts.sum(0), counts.sum(1)
        precision, recall = correct / predicted.clamp(min=1), correct / support.clamp(min=1)
        f1 = 2 * correct / (predicted + support).clamp(min=1)
        columns = (part.tolist() for part in (precision, recall, f1, support.long()))
        return TableArtifact(
            ["class", "precision", "recall", "f1", "support"],
            [list(row) for row in zip(self.names, *columns, strict=True)],
        )

    def tables(self) -> dict[str, TableArtifact]:
        """Return both tables by file name without extension."""
        return {"confusion": self.rows(), "per_class": self.per_class()}

    def rows(self) -> TableArtifact:
        """Return the matrix as a table: one row per true class, one column per predicted class."""
        rows = zip(self.names, self.counts.tolist(), strict=True)
        return TableArtifact(["true", *self.names], [[name, *counts] for name, counts in rows])
