"""Targets of a rule on (output, target)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.core.metric import Metric, PerSample
from dlcli.core.task import Batch, Loss, Score
from dlcli.tasks.targets.protocol import OutputRule, PredictsColumns, ReadsBatch


def of_output(compute: Callable[[Tensor, Tensor], Score]) -> PerSample:
    """A mean over units that depends on (output, target) only."""

    def score(model: nn.Module, batch: Batch, output: Any) -> Score:
        return compute(output, batch.target)

    return PerSample(score)


class OutputTargets:
    """Adapter: targets whose loss and metrics are functions of `model(*batch.inputs)` and `batch.target`.

    Args:
        rule: loss and metrics on (output, target).
        extra: further metrics, which may query the model.
        default: names that are reported if the user selects none; None: those of the rule and all extra ones.
    """

    def __init__(self, rule: OutputRule, *, extra: Sequence[Metric] = (), default: Sequence[str] | None = None) -> None:
        self.rule = rule
        self.main = rule.main
        self.available: Sequence[Metric] = (*rule.available, *extra)
        self.default: Sequence[str] = (
            (*rule.default, *(metric.name for metric in extra)) if default is None else tuple(default)
        )
        self.baseline_name = rule.baseline_name

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        value, weight = self.rule.loss(model(*batch.inputs), batch.target)
        return Loss(value, {}, weight)

    def output(self, model: nn.Module, batch: Batch) -> Tensor:
        return model.of_batch(batch) if isinstance(model, ReadsBatch) else model(*batch.inputs)

    def columns(self, model: nn.Module, batch: Batch) -> dict[str, list[Any]]:
        return self.rule.columns(model(*batch.inputs), batch.target)

    def predicted(self, model: nn.Module, batch: Batch) -> dict[str, np.ndarray]:
        """Columns of predictions for inputs without targets.

        Raises:
            Mismatch: the target type has no predictions per sample.
        """
        if not isinstance(self.rule, PredictsColumns):
            raise Mismatch("unsupported", subject=type(self.rule).__name__, feature="predictions for new data")
        return self.rule.predicted(model(*batch.inputs))

    def collected(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return self.rule.collected(output, batch.target)

    def constant(self, targets: Iterable[Tensor]) -> list[float]:
        return self.rule.constant(targets)
