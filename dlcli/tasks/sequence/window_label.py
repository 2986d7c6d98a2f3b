"""Label target: the class of a window's last row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.metric import Metric, PerSample
from dlcli.core.spec import IGNORED, Classes
from dlcli.core.task import Baseline, Batch, Fitted, Score
from dlcli.data.channels import codes_of, label_names, label_text
from dlcli.data.timeline import Timeline
from dlcli.tasks.sequence.window_targets import WindowTargets
from dlcli.tasks.sequence.windows import Rows
from dlcli.tasks.targets.adapter import OutputTargets
from dlcli.tasks.targets.baselines import ConstantOutput
from dlcli.tasks.targets.classification import Classification


class Label:
    """The label of the window's last row. The baseline predicts the label frequencies of the training rows.

    Args:
        line: the rows, without filled values.
        target: the column.
        limit: largest number of labels.
    """

    horizon = 0
    blank = float(IGNORED)

    def __init__(self, line: Timeline, target: str, limit: int) -> None:
        self.line, self.target, self.limit = line, target, limit
        self.text = label_text(line.frame[target])
        self.present = self.text.notna().to_numpy() & line.observed

    def features(self, others: Sequence[str]) -> list[str]:
        if not others:
            raise UsageError("invalid_data", path="the file", problem=f"no column to predict {self.target!r} from")
        return list(others)

    def known(self, ends: Rows) -> Bool[np.ndarray, "sample"]:
        return self.present[ends]

    def span(self, ends: Rows) -> tuple[np.ndarray, np.ndarray]:
        return self.line.ticks[ends], self.line.ticks[ends]

    def future(self, ends: Rows) -> Rows:
        """Every window without a label."""
        return ends[~self.present[ends]]

    def learn(self, train: Bool[np.ndarray, "step"], /) -> dict[str, Any]:
        """Class names of the complete file, and class frequencies of the training rows.

        Raises:
            UsageError: there is a single class, or there are too many.
        """
        names = label_names(self.text, self.limit)
        codes = codes_of(self.text[train & self.present], names)
        constant = Classification(names).constant([torch.from_numpy(codes).long()])
        return {"kind": "label", "classes": names, "majority": int(np.bincount(codes).argmax()), "trivial": constant}

    def encoded(self, fitted: Fitted) -> WindowTargets:
        """Class numbers.

        Raises:
            UsageError: a label is not a class of the training file.
        """
        names = fitted["classes"]
        codes = codes_of(self.text, names)
        unknown = np.flatnonzero((codes < 0) & self.present)
        if unknown.size:
            key = f"row {self.text.index[unknown[0]]} of column {self.target!r}"
            must = f"a label of the training data ({', '.join(names)})"
            raise UsageError("invalid_value", key=key, must=must, got=str(self.text.iloc[unknown[0]]))
        values = torch.from_numpy(np.where(codes < 0, IGNORED, codes))
        targets = OutputTargets(Classification(names), extra=(_majority_accuracy(int(fitted["majority"])),))
        return WindowTargets(Classes(len(names)), targets, values)

    def baseline(self, fitted: Fitted) -> Baseline:
        """The label frequencies; runs of dlcli 0.1.0 know the most frequent label only."""
        names = fitted["classes"]
        certain = Classification(names).constant([torch.full((1_000_000,), fitted["majority"])])
        return Baseline("majority class", ConstantOutput(fitted.get("trivial", certain)))

    def predicted(self, output: Tensor, fitted: Fitted) -> dict[str, np.ndarray]:
        return Classification(fitted["classes"]).predicted(output)

    def columns(self, output: Tensor, target: Tensor, fitted: Fitted) -> dict[str, list[Any]]:
        named = Classification(fitted["classes"]).columns(output, target)
        return {f"{self.target}_{name}": values for name, values in named.items()}


def _majority_accuracy(majority: int) -> Metric:
    """Accuracy of the most frequent label of the training rows."""

    def compute(model: nn.Module, batch: Batch, output: Tensor) -> Score:
        return Score((batch.target == majority).float(), (batch.target != IGNORED).float())

    return Metric("baseline_accuracy", "max", "", PerSample(compute))
