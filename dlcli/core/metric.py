"""Metrics: name, direction, unit, computation and baseline. The module does not import PyTorch."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dlcli.core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dlcli.core.task import Batch, Score, Task

    _SampleRule = Callable[[nn.Module, Batch, Any], Score]
    _SplitRule = Callable[[Tensor, Tensor], float]
    _WholeRule = Callable[[nn.Module, Task, str], float]
else:
    _SampleRule = _SplitRule = _WholeRule = Callable[..., Any]

Direction = Literal["min", "max"]


@dataclass(frozen=True)
class Goal:
    """Metric that ranks models, with its direction.

    Args:
        metric: name of the metric.
        direction: "max" if larger values are better, else "min".
        ties: the better one of two equal values: the "first", or the "last" (for a metric that stays at 0 until it
            is 1).
    """

    metric: str
    direction: Direction
    ties: Literal["first", "last"] = "first"

    def better(self, new: float, old: float | None) -> bool:
        """Return True if `new` replaces `old` as the best value (None: no value so far; NaN is never better)."""
        if new != new:
            return False
        if old is None or old != old:
            return True
        if new == old:
            return self.ties == "last"
        return new < old if self.direction == "min" else new > old

    def rank(self, value: float) -> tuple[bool, float]:
        """Return the sorting key of a value: the best value first, NaN last."""
        return value != value, value if self.direction == "min" else -value


@dataclass(frozen=True)
class PerSample:
    """Mean over units: one sum and one weight per sample.

    Args:
        compute: (model, batch, output) -> Score with tensors [batch]; the output is computed once per batch.
    """

    compute: _SampleRule


@dataclass(frozen=True)
class PerSplit:
    """Statistic of the joint distribution of outputs and targets of a split that is not a mean (AUC, F1, R2).

    Args:
        compute: (outputs, targets) -> value, over the labeled units of the complete split, the unit axis first.
    """

    compute: _SplitRule


@dataclass(frozen=True)
class PerModel:
    """Property of the model that is computed once per evaluation (log Z, number of modes).

    Args:
        compute: (model, task, split) -> value, called under `torch.no_grad`; it may enable gradients.
    """

    compute: _WholeRule


@dataclass(frozen=True)
class Derived:
    """Function of the means of other metrics (RMSE, perplexity).

    Args:
        compute: means by name -> value.
        needs: names of these metrics.
    """

    compute: Callable[[Mapping[str, float]], float]
    needs: Sequence[str]


Kind = PerSample | PerSplit | PerModel | Derived


@dataclass(frozen=True)
class Metric:
    """Reported metric.

    Args:
        name: key in run.json, at `metrics.<split>.<name>`.
        direction: "max" if larger values are better, else "min".
        unit: unit of the values; empty for fractions and counts.
        compute: computation of the value; None if the task's `metrics` returns the value.
        baseline: value of a trivial predictor; None: measured with the task's trivial predictor.
        ties: see `Goal`.

    Raises:
        UsageError: the baseline is not finite.
    """

    name: str
    direction: Direction
    unit: str = ""
    compute: Kind | None = None
    baseline: float | None = None
    ties: Literal["first", "last"] = "first"

    def __post_init__(self) -> None:
        if self.baseline is not None and not math.isfinite(self.baseline):
            must = "a finite number, or None if the baseline is measured"
            raise UsageError("invalid_value", key=f"baseline of the metric {self.name}", must=must, got=self.baseline)

    @property
    def goal(self) -> Goal:
        """The goal of ranking models by this metric."""
        return Goal(self.name, self.direction, self.ties)

    def info(self, baseline: float | None = None) -> dict[str, Any]:
        """Return the entry of this metric in run.json, at `metric_info.<name>`.

        Args:
            baseline: measured baseline; None uses the declared one.
        """
        value = self.baseline if baseline is None else baseline
        finite = value is not None and math.isfinite(value)
        return {"direction": self.direction, "unit": self.unit, "baseline": value if finite else None}


def choose(
    available: Iterable[Metric], default: Sequence[str], main: str, names: Sequence[str] | None
) -> tuple[Metric, ...]:
    """Select the reported metrics, in the order of `available`.

    The main metric is always reported, as are the metrics from which a selected metric is derived.

    Args:
        available: the metrics of the target type.
        default: names that are reported without a selection.
        main: the metric that ranks models.
        names: selected names (`task.metrics`); None selects the default.

    Raises:
        UsageError: `names` is not a list, or contains an unknown metric.
    """
    known = {metric.name: metric for metric in available}
    if isinstance(names, str):
        raise UsageError("invalid_value", key="task.metrics", must="a list of metric names", got=names)
    selected = {main, *(default if names is None else names)}
    for name in selected:
        if name not in known:
            hint = f"task.metrics accepts: {', '.join(known)}"
            raise UsageError("unknown_name", kind="metric", name=name, hint=hint)
    needed = {
        name for metric in known.values() if metric.name in selected and isinstance(metric.compute, Derived)
        for name in metric.compute.needs
    }  # fmt: skip
    return tuple(metric for name, metric in known.items() if name in selected | needed)


def per_sample(metrics: Iterable[Metric], model: Any, batch: Any, output: Any) -> dict[str, Any]:
    """Compute the scores, by name, of those metrics that are means over units."""
    return {
        metric.name: metric.compute.compute(model, batch, output)
        for metric in metrics
        if isinstance(metric.compute, PerSample)
    }
