"""Target protocol: what a model predicts for each window of a time series."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Shaped
from torch import Tensor

from dlcli.core.spec import Classes, Real
from dlcli.core.task import Baseline, Fitted
from dlcli.tasks.sequence.windows import Rows
from dlcli.tasks.targets.protocol import OutputRule, Targets


@dataclass(frozen=True)
class WindowTargets:
    """Targets in the units of the model.

    Args:
        part: the target of the spec.
        targets: loss and metrics.
        values: the target by the last row of the window.
    """

    part: Real | Classes
    targets: Targets | OutputRule
    values: Shaped[Tensor, "step *unit"]


@runtime_checkable
class WindowTarget(Protocol):
    """Targets of windows, indexed by the last row of the window.

    `fitted` contains the quantities that were learned from the training rows.
    """

    target: str
    """Column of the target."""

    horizon: int
    """Steps from the last row of the window to the last target."""

    blank: float
    """Value of an unknown target."""

    present: Bool[np.ndarray, "step"]
    """True for rows with a target value of their own."""

    def features(self, others: Sequence[str]) -> list[str]:
        """The input columns, out of the target and the other columns."""

    def known(self, ends: Rows) -> Bool[np.ndarray, "sample"]:
        """True for windows whose complete target is in the file."""

    def span(self, ends: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Times of the first and the last target value of windows with a known target."""

    def future(self, ends: Rows) -> Rows:
        """Windows without a known target that can be predicted."""

    def learn(self, train: Bool[np.ndarray, "step"], /) -> dict[str, Any]:
        """Quantities of the target, learned from the training rows."""

    def encoded(self, fitted: Fitted) -> WindowTargets:
        """The targets in the units of the model."""

    def baseline(self, fitted: Fitted) -> Baseline:
        """The trivial predictor."""

    def predicted(self, output: Tensor, fitted: Fitted) -> dict[str, np.ndarray]:
        """Predictions in the units and names of the data: one entry per window and step."""

    def columns(self, output: Tensor, target: Tensor, fitted: Fitted) -> dict[str, list[Any]]:
        """Predictions and targets in the units and names of the data."""
