"""What is wanted of a window: the contract between a series and its targets."""

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
class Wanted:
    """Targets as the model works with them.

    Args:
        part: the target in the spec.
        targets: loss and metrics.
        values: by the row a window ends at.
    """

    part: Real | Classes
    targets: Targets | OutputRule
    values: Shaped[Tensor, "step *unit"]


@runtime_checkable
class Aim(Protocol):
    """Targets of windows by the row they end at; `fitted` is what was learned from training windows."""

    target: str
    """The column that targets come from."""

    horizon: int
    """Steps from the window's last row to the last target."""

    blank: float
    """The target of a window whose target is not known."""

    def features(self, others: Sequence[str]) -> list[str]:
        """The columns that a model reads, of these and the target."""

    def known(self, ends: Rows) -> Bool[np.ndarray, "sample"]:
        """Whether the file has the whole target."""

    def span(self, ends: Rows) -> tuple[np.ndarray, np.ndarray]:
        """When the first and the last of the known targets are."""

    def future(self, ends: Rows) -> Rows:
        """Windows whose target the file does not have, and somebody may want."""

    def learn(self, train: Rows, /) -> dict[str, Any]:
        """What the training windows tell of the target."""

    def wanted(self, fitted: Fitted) -> Wanted: ...

    def baseline(self, fitted: Fitted) -> Baseline:
        """The trivial predictor."""

    def columns(self, output: Tensor, target: Tensor, fitted: Fitted) -> dict[str, list[Any]]:
        """Predictions and targets in the data's own units and names."""
