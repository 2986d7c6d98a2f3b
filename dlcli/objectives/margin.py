"""The margin loss."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Labels
from dlcli.core.task import Batch, Carry, Loss, Task


class Margin:
    """Every class by itself: likely enough where it is there, unlikely enough where it is not.

    T max(0, positive - p)² + down (1 - T) max(0, p - negative)², p the sigmoid of the model's score, T whether the
    class is there. So any model that answers with scores can be trained with it.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, equation 4.

    Args:
        task: its target is a class a sample, or any number of them.
        positive: probability that is likely enough.
        negative: probability that is unlikely enough.
        down: weight of what is not there.
        reduction: "sum" over the classes as in the paper; "official" is the authors' code: half of the mean over the
            classes, for ten of them a twentieth.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the target is something else.
    """

    def __init__(
        self, task: Task, *, positive: float, negative: float, down: float, reduction: Literal["sum", "official"]
    ) -> None:
        if not 0 <= negative < positive <= 1:
            raise UsageError(f"margins are 0 <= negative < positive <= 1, not {negative} and {positive}")
        if down < 0:
            raise UsageError(f"down of the margin loss is at least 0, not {down}")
        target = task.spec.target
        if not isinstance(target, Classes | Labels) or target.positions:
            raise Mismatch(f"Margin wants classes, once a sample, not {task.spec.describe()}")
        self.positive, self.negative, self.down, self.reduction = positive, negative, down, reduction

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return Loss(self.of(torch.sigmoid(model(*batch.inputs)), batch.target), {}, float(len(batch)))

    def of(self, p: Float[Tensor, "batch class"], target: Shaped[Tensor, "batch *class"]) -> Float[Tensor, ""]:
        """The loss of probabilities, mean over the batch."""
        there = present(target, p)
        missed = F.relu(self.positive - p).square()
        imagined = F.relu(p - self.negative).square()
        loss = there * missed + self.down * (1 - there) * imagined
        return loss.sum(1).mean() if self.reduction == "sum" else loss.mean() / 2


def present(target: Shaped[Tensor, "batch *class"], p: Float[Tensor, "batch class"]) -> Float[Tensor, "batch class"]:
    """1 for each class that is there, 0 for the others."""
    return F.one_hot(target, p.shape[1]).to(p) if target.dim() == 1 else target.to(p)
