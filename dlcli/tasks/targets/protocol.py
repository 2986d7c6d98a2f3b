"""Targets protocol: loss and metrics of a target type, queried with (model, batch)."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn

from dlcli.core.metric import Metric
from dlcli.core.task import Batch, Loss


@runtime_checkable
class Targets(Protocol):
    """Loss and metrics of a target type.

    The metrics that are means over units (`PerSample`) are computed from (model, batch, output), where `output` is
    computed once per batch.
    """

    main: str
    """Name of the metric that ranks models."""

    available: Sequence[Metric]
    """Every metric that the target type can report."""

    default: Sequence[str]
    """Names of the metrics that are reported if the user selects none."""

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """The mean loss over the labeled units of a batch; 0 with a gradient of 0 if there are none."""

    def output(self, model: nn.Module, batch: Batch) -> Any:
        """The part of the model's output that all metrics share."""

    def columns(self, model: nn.Module, batch: Batch) -> dict[str, list[Any]]:
        """Predictions and targets as columns of a table, one entry per sample."""


@runtime_checkable
class PredictsColumns(Protocol):
    """A rule whose outputs can be predictions for data without targets."""

    def predicted(self, output: Tensor) -> dict[str, np.ndarray]:
        """Return `prediction` and further columns in the data's own units and names, one entry per sample."""


@runtime_checkable
class HasSplitMetrics(Protocol):
    """Targets with metrics of the whole split (`PerSplit`)."""

    def collected(self, output: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        """Outputs and targets of the labeled units of a batch, unit axis first."""


@runtime_checkable
class HasConstantBaseline(Protocol):
    """Targets with a constant prediction as the baseline."""

    baseline_name: str

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        """The constant model output per unit that fits the training targets best."""


@runtime_checkable
class ReadsBatch(Protocol):
    """A trivial predictor that depends on the rows of a batch and not on its inputs (naive forecasts)."""

    def of_batch(self, batch: Batch) -> Tensor:
        """The prediction for each row of the batch."""


@runtime_checkable
class OutputRule(Protocol):
    """A target type whose loss and metrics are functions of (model output, target) only; see `OutputTargets`."""

    main: str
    available: Sequence[Metric]
    default: Sequence[str]
    baseline_name: str

    def loss(self, output: Tensor, target: Tensor) -> tuple[Tensor, float | Tensor]:
        """The mean loss over the labeled units, and the number of these units."""

    def columns(self, output: Tensor, target: Tensor) -> dict[str, list[Any]]:
        """Predictions and targets as columns of a table, one entry per sample."""

    def collected(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and targets of the labeled units, unit axis first."""

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        """The constant model output per unit that fits the training targets best."""
