"""Convex combinations of inputs of different samples."""

import torch
from torch import Tensor

from dlcli.core.errors import Mismatch
from dlcli.core.needs import require_loss
from dlcli.core.spec import Real
from dlcli.core.task import Batch, Task


def check_mixable(task: Task, objective: str) -> None:
    """Check that all inputs are real values, and that the task has a loss.

    Raises:
        Mismatch: an input consists of tokens, or the task has no loss.
    """
    require_loss(task, objective)
    if not all(isinstance(part, Real) for part in task.spec.inputs):
        got = task.spec.describe()
        raise Mismatch("mismatch", subject=objective, requirement="real-valued inputs (no tokens)", got=got)


def shuffled(batch: Batch) -> Tensor:
    """Random permutation of the rows: the partner of each row."""
    return torch.randperm(len(batch), device=batch.index.device)


def mixed(batch: Batch, other: Tensor, share: Tensor) -> Batch:
    """Share * x + (1 - share) * x[other] for all inputs; targets do not change.

    Args:
        batch: the samples.
        other: partner of each row, [batch].
        share: weight of the row's own inputs, 0-d or [batch].
    """

    def mix(part: Tensor) -> Tensor:
        own = share.to(part.dtype).view(-1, *[1] * (part.dim() - 1)) if share.dim() else share.to(part.dtype)
        return torch.lerp(part[other], part, own)

    return batch.with_inputs(*map(mix, batch.inputs))
