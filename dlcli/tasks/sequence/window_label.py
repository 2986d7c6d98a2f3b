"""The label of a window's last row."""

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
from dlcli.data.channels import codes_of
from dlcli.data.timeline import Timeline
from dlcli.tasks.sequence.window_targets import Wanted
from dlcli.tasks.sequence.windows import Rows
from dlcli.tasks.targets.adapter import OutputTargets
from dlcli.tasks.targets.baselines import Constant
from dlcli.tasks.targets.classification import Classification


class Label:
    """The label of the window's last row. The baseline predicts the label frequencies of the training windows.

    Args:
        line: the rows, nothing filled in.
        target: the column.
        limit: most labels that it may have.
    """

    horizon = 0
    blank = float(IGNORED)

    def __init__(self, line: Timeline, target: str, limit: int) -> None:
        self.line, self.target, self.limit = line, target, limit
        self.text = line.frame[target]
        self.there = self.text.notna().to_numpy() & line.observed

    def features(self, others: Sequence[str]) -> list[str]:
        if not others:
            raise UsageError(f"the file has no columns from which to tell {self.target!r}")
        return list(others)

    def known(self, ends: Rows) -> Bool[np.ndarray, "sample"]:
        return self.there[ends]

    def span(self, ends: Rows) -> tuple[np.ndarray, np.ndarray]:
        return self.line.ticks[ends], self.line.ticks[ends]

    def future(self, ends: Rows) -> Rows:
        """Every window without a label."""
        return ends[~self.there[ends]]

    def learn(self, train: Rows, /) -> dict[str, Any]:
        """The classes are those of the whole file: they are the question, not an estimate from data.

        Raises:
            UsageError: there is one class only, or there are too many.
        """
        names = _ordered(self.text.dropna().unique().tolist())
        if len(names) < 2:
            raise UsageError(f"column {self.target!r} has only one label ({', '.join(names) or 'none'})")
        if len(names) > self.limit:
            raise UsageError(
                f"column {self.target!r} has {len(names)} different labels, more than task.max_categories={self.limit}"
            )
        codes = codes_of(self.text.iloc[train], names)
        constant = Classification(names).constant([torch.from_numpy(codes).long()])
        return {"kind": "label", "classes": names, "majority": int(np.bincount(codes).argmax()), "trivial": constant}

    def wanted(self, fitted: Fitted) -> Wanted:
        """Class numbers.

        Raises:
            UsageError: a label is none of the classes that were learned.
        """
        codes = codes_of(self.text, fitted["classes"])
        unknown = np.flatnonzero((codes < 0) & self.there)
        if unknown.size:
            raise UsageError(
                f"row {self.text.index[unknown[0]]} has the label {self.text.iloc[unknown[0]]!r}, "
                f"the run was trained on: {', '.join(fitted['classes'])}"
            )
        names = fitted["classes"]
        values = torch.from_numpy(np.where(codes < 0, IGNORED, codes))
        targets = OutputTargets(Classification(names), extra=(_majority_accuracy(int(fitted["majority"])),))
        return Wanted(Classes(len(names)), targets, values)

    def baseline(self, fitted: Fitted) -> Baseline:
        """The label frequencies; runs of dlcli 0.1.0 know the most frequent label only."""
        names = fitted["classes"]
        certain = Classification(names).constant([torch.full((1_000_000,), fitted["majority"])])
        return Baseline("majority class", Constant(fitted.get("trivial", certain)))

    def columns(self, output: Tensor, target: Tensor, fitted: Fitted) -> dict[str, list[Any]]:
        named = Classification(fitted["classes"]).columns(output, target)
        return {f"{self.target}_{name}": values for name, values in named.items()}


def _majority_accuracy(majority: int) -> Metric:
    """Accuracy of the most frequent label of the training windows."""

    def compute(model: nn.Module, batch: Batch, output: Tensor) -> Score:
        return Score((batch.target == majority).float(), (batch.target != IGNORED).float())

    return Metric("baseline_accuracy", "max", "", PerSample(compute))


def _ordered(names: Sequence[str]) -> list[str]:
    """Numbers by size, else words by letter."""
    try:
        return sorted(names, key=float)
    except ValueError:
        return sorted(names)
