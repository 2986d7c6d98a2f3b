"""Double precision: convert batches and models to float64."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from dlcli.core.episode import PlayableTask
from dlcli.core.errors import Mismatch
from dlcli.core.task import Batch, Task

DOUBLE = "float64"


def model_to_precision(model: nn.Module, precision: str) -> nn.Module:
    """Convert parameters and buffers of the model to float64 if the precision is "float64".

    The initial values are drawn in float32, so that runs of both precisions start from equal weights.
    """
    return model.double() if precision == DOUBLE else model


def task_to_precision(task: Task, precision: str) -> Task:
    """Convert inputs and targets of the task to float64 if the precision is "float64", in place.

    Raises:
        Mismatch: the task is an environment, whose observations are float32.
    """
    if precision != DOUBLE:
        return task
    if isinstance(task, PlayableTask):
        raise Mismatch(
            "unsupported", subject=type(task).__name__, feature="precision=float64", hint="Use precision=float32."
        )
    vars(task)["batch"] = _doubled(task.batch)
    return task


def _doubled(batch: Callable[[str, int], Batch]) -> Callable[[str, int], Batch]:
    """The batch function with floating-point inputs and targets in float64."""

    def doubled(split: str, index: int) -> Batch:
        result = batch(split, index)
        return replace(result, inputs=tuple(map(_double, result.inputs)), target=_double(result.target))

    return doubled


def _double(values: Tensor) -> Tensor:
    return values.to(torch.float64) if values.is_floating_point() else values
