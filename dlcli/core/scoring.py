"""The one loop over the batches of a split."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.task import Batch, Carry, Collect, Metrics, Predicts, Task


def score(model: nn.Module, task: Task, split: str) -> dict[str, float]:
    """Every metric of the task on a whole split, the model in evaluation mode; its mode is given back."""
    sums: dict[str, Tensor] = {}
    outputs: list[Tensor] = []
    targets: list[Tensor] = []
    training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            carry: Carry = None
            for index in range(task.size(split)):
                batch = task.batch(split, index)
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
        model.train(training)
    return means | task.summary(means)


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
