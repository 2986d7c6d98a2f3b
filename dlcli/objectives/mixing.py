"""Inputs that are mixed with those of other rows."""

import torch
from torch import Tensor

from dlcli.core.errors import Mismatch
from dlcli.core.needs import require_loss
from dlcli.core.spec import Real
from dlcli.core.task import Batch, Task


def check_mixable(task: Task, reader: str) -> None:
    """Check that inputs can be added up, and that there is a loss.

    Raises:
        Mismatch: they are tokens, or there is none.
    """
    require_loss(task, reader)
    if not all(isinstance(part, Real) for part in task.spec.inputs):
        raise Mismatch(f"{reader} mixes real inputs; there is no half of a token: {task.spec.describe()}")


def shuffled(batch: Batch) -> Tensor:
    """Which row each row is mixed with, all of them in one random order."""
    return torch.randperm(len(batch), device=batch.index.device)


def mixed(batch: Batch, other: Tensor, share: Tensor) -> Batch:
    """share * x + (1 - share) * x[other], for all inputs alike; targets stay.

    Args:
        share: of the row's own inputs, 0-d or [batch].
    """

    def mix(part: Tensor) -> Tensor:
        own = share.to(part.dtype).view(-1, *[1] * (part.dim() - 1)) if share.dim() else share.to(part.dtype)
        return torch.lerp(part[other], part, own)

    return batch.with_inputs(*map(mix, batch.inputs))
