"""The one loop over the batches of a split."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.modes import evaluating
from dlcli.core.random import reseed
from dlcli.core.task import Batch, Carry, Collect, Metrics, Predicts, Task

_SCORING = 0x5C02E  # sets draws while scoring apart from those of training


See = Callable[[Batch, Metrics], None]
"""Somebody who is shown every batch and what came of it."""


@dataclass(frozen=True)
class Estimate:
    """A mean over a split.

    Args:
        mean: of all units.
        deviation: standard deviation of the rows, where each counts once; NaN where rows count unequally, or there is
            one, or the value is not a mean of rows.
        rows: how many there are.
    """

    mean: float
    deviation: float = math.nan
    rows: int = 0


def score(model: nn.Module, task: Task, split: str, see: See | None = None) -> dict[str, float]:
    """Every metric of the task on a whole split, the model in evaluation mode; its modes are given back.

    What a model draws at random while it is scored is a function of the batch.

    Args:
        see: is shown every batch, for tables of what is no mean.
    """
    return {name: estimate.mean for name, estimate in estimates(model, task, split, see).items()}


def estimates(model: nn.Module, task: Task, split: str, see: See | None = None) -> dict[str, Estimate]:
    """As `score`, with how much the rows of the split differ."""
    sums: dict[str, Tensor] = {}
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    with evaluating(model):
        carry: Carry = None
        for index in range(task.size(split)):
            batch = task.batch(split, index)
            reseed(batch.target.device, _SCORING, index)
            metrics = task.metrics(model, batch, carry)
            carry = metrics.carry
            _add(sums, metrics)
            if see is not None:
                see(batch, metrics)
            if isinstance(task, Collect) and metrics.output is not None:
                outputs.append(metrics.output)
                targets.append(batch.target)
        found = {name: _estimate(*values.tolist()) for name, values in sums.items()}
        means = {name: estimate.mean for name, estimate in found.items()}
        if isinstance(task, Collect) and outputs:
            means |= task.collect(torch.cat(outputs), torch.cat(targets))
    means = {name: float(value) for name, value in (means | task.summary(means)).items()}
    return {name: found[name] if name in found else Estimate(value) for name, value in means.items()}


def _add(sums: dict[str, Tensor], metrics: Metrics) -> None:
    """Sums of totals, weights, squared totals, rows, and rows that do not count once."""
    for name, value in metrics.values.items():
        total, weight = value.total.double(), value.weight.double()
        rows = total.new_tensor(len(total))
        added = torch.stack((total.sum(), weight.sum(), (total * total).sum(), rows, (weight != 1).sum().double()))
        sums[name] = sums[name] + added if name in sums else added


def _estimate(total: float, weight: float, squares: float, rows: float, uneven: float) -> Estimate:
    mean = total / weight if weight else math.nan
    if uneven or rows < 2:
        return Estimate(mean, rows=round(rows))
    return Estimate(mean, math.sqrt(max(0.0, squares - rows * mean * mean) / (rows - 1)), round(rows))


def predict(model: nn.Module, task: Predicts, batches: Iterable[Batch]) -> dict[str, list[Any]]:
    """One row a sample over the batches, in their order: columns of equal length."""
    columns: dict[str, list[Any]] = {}
    with evaluating(model):
        carry: Carry = None
        for batch in batches:
            part, carry = task.predictions(model, batch, carry)
            for name, values in part.items():
                columns.setdefault(name, []).extend(values)
    return columns
