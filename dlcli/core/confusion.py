"""Confusion matrix, and precision, recall and F1 of each class."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

from dlcli.core.learner import Rows
from dlcli.core.spec import Classes
from dlcli.core.task import Batch, Metrics, Sorts, Task

_MOST = 1000  # classes: a table of their squares


class Confusion:
    """Counts of (true, predicted) classes, filled while a split is scored.

    Args:
        names: of the classes, in the order of their numbers.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._counts = torch.zeros(len(self.names) ** 2, dtype=torch.int64)

    @classmethod
    def of(cls, task: Task) -> "Confusion | None":
        """An empty one for a task that sorts samples into classes; None for any other, or for thousands of classes."""
        target = task.spec.target
        fits = isinstance(target, Classes) and not target.positions and target.count <= _MOST
        return cls(task.classes) if fits and isinstance(task, Sorts) else None

    def see(self, batch: Batch, metrics: Metrics) -> None:
        """Count the answers of a batch; rows without a class of their own do not count."""
        if metrics.output is None:
            return
        count = len(self.names)
        counted = (batch.target >= 0) & (batch.target < count)
        pairs = (batch.target * count + metrics.output.argmax(1))[counted]
        self._counts = self._counts.to(pairs.device) + torch.bincount(pairs, minlength=count**2)

    @property
    def counts(self) -> Int64[Tensor, "true predicted"]:
        return self._counts.view(len(self.names), -1).cpu()

    def per_class(self) -> Rows:
        """Precision, recall, F1 and number of samples of each class; 0 where a denominator is 0, as in scikit-learn."""
        counts = self.counts.double()
        right, predicted, support = counts.diagonal(), counts.sum(0), counts.sum(1)
        precision, recall = right / predicted.clamp(min=1), right / support.clamp(min=1)
        f1 = 2 * right / (predicted + support).clamp(min=1)
        columns = (part.tolist() for part in (precision, recall, f1, support.long()))
        return Rows(
            ["class", "precision", "recall", "f1", "support"],
            [list(row) for row in zip(self.names, *columns, strict=True)],
        )

    def tables(self) -> dict[str, Rows]:
        """Both tables by file name without ending."""
        return {"confusion": self.rows(), "per_class": self.per_class()}

    def rows(self) -> Rows:
        """A row for every true class, a column for every predicted one."""
        rows = zip(self.names, self.counts.tolist(), strict=True)
        return Rows(["true", *self.names], [[name, *counts] for name, counts in rows])
