"""The one loop over the batches of a split."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.random import reseed
from dlcli.core.task import Batch, Carry, Collect, Metrics, Predicts, Task

_SCORING = 0x5C02E  # sets draws while scoring apart from those of training


def score(model: nn.Module, task: Task, split: str) -> dict[str, float]:
    """Every metric of the task on a whole split, the model in evaluation mode; its modes are given back.

    What a model draws at random while it is scored is a function of the batch.
    """
    sums: dict[str, Tensor] = {}
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.inference_mode():
            carry: Carry = None
            for index in range(task.size(split)):
                batch = task.batch(split, index)
                reseed(batch.target.device, _SCORING, index)
                metrics = task.metrics(model, batch, carry)
                carry = metrics.carry
                _add(sums, metrics)
                if isinstance(task, Collect):
                    outputs.append(task.output(model, batch))
                    targets.append(batch.target)
            means = {name: float(both[0] / both[1]) for name, both in sums.items()}
            if isinstance(task, Collect):
                means |= task.collect(torch.cat(outputs), torch.cat(targets))
    finally:
        for module, training in modes.items():
            module.training = training
    return {name: float(value) for name, value in (means | task.summary(means)).items()}


def _add(sums: dict[str, Tensor], metrics: Metrics) -> None:
    for name, value in metrics.values.items():
        both = torch.stack((value.total.double().sum(), value.weight.double().sum()))
        sums[name] = sums[name] + both if name in sums else both


def predict(model: nn.Module, task: Predicts, batches: Iterable[Batch]) -> dict[str, list[Any]]:
    """One row a sample over the batches, in their order: columns of equal length."""
    columns: dict[str, list[Any]] = {}
    model.eval()
    with torch.inference_mode():
        carry: Carry = None
        for batch in batches:
            part, carry = task.predictions(model, batch, carry)
            for name, values in part.items():
                columns.setdefault(name, []).extend(values)
    return columns
