"""Double precision: batches and models in float64."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from dlcli.core.episode import Plays
from dlcli.core.errors import Mismatch
from dlcli.core.task import Batch, Task

DOUBLE = "float64"


def model_in(model: nn.Module, precision: str) -> nn.Module:
    """The model with float64 parameters and buffers if the precision is float64; its initial values are rounded
    to float32, so that runs of both precisions start from equal weights.
    """
    return model.double() if precision == DOUBLE else model


def task_in(task: Task, precision: str) -> Task:
    """The task with float64 inputs and targets if the precision is float64.

    Raises:
        Mismatch: it is an environment, whose observations are float32.
    """
    if precision != DOUBLE:
        return task
    if isinstance(task, Plays):
        raise Mismatch(
            "unsupported", subject=type(task).__name__, feature="precision=float64", hint="Use precision=float32."
        )
    vars(task)["batch"] = _doubled(task.batch)
    return task


def _doubled(batch: Callable[[str, int], Batch]) -> Callable[[str, int], Batch]:
    """The batch function with floating-point inputs and targets in float64."""

    def doubled(split: str, index: int) -> Batch:
        made = batch(split, index)
        return replace(made, inputs=tuple(map(_double, made.inputs)), target=_double(made.target))

    return doubled


def _double(values: Tensor) -> Tensor:
    return values.to(torch.float64) if values.is_floating_point() else values
