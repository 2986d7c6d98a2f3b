"""Margin loss of capsule networks."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Labels
from dlcli.core.task import Batch, Carry, Loss, Task


class Margin:
    """Margin loss T max(0, positive - p)² + down (1 - T) max(0, p - negative)², separate for each class.

    p is the sigmoid of the model's score, and T is 1 for the classes of the sample. The loss is applicable to any model
    that outputs scores.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, equation 4.

    Args:
        task: task whose target is one class or any number of classes per sample.
        positive: lower margin of the probability of present classes (m+ in the paper).
        negative: upper margin of the probability of absent classes (m- in the paper).
        down: weight of absent classes (lambda in the paper).
        reduction: "sum" over the classes as in the paper; "official" as in the authors' code: half of the mean over
            the classes, 1/20 of the sum for ten classes.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the target has another type.
    """

    def __init__(
        self, task: Task, *, positive: float, negative: float, down: float, reduction: Literal["sum", "official"]
    ) -> None:
        if not 0 <= negative < positive <= 1:
            must = "0 <= negative < positive <= 1"
            got = f"negative={negative}, positive={positive}"
            raise UsageError("invalid_value", key="objective.positive", must=must, got=got)
        if down < 0:
            raise UsageError("invalid_value", key="objective.down", must="at least 0", got=down)
        target = task.spec.target
        if not isinstance(target, Classes | Labels) or target.positions:
            requirement = "classes per sample as target"
            raise Mismatch("mismatch", subject="objective=margin", requirement=requirement, got=task.spec.describe())
        self.positive, self.negative, self.down, self.reduction = positive, negative, down, reduction

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return Loss(self.of(torch.sigmoid(model(*batch.inputs)), batch.target), {}, float(len(batch)))

    def of(self, p: Float[Tensor, "batch class"], target: Shaped[Tensor, "batch *class"]) -> Float[Tensor, ""]:
        """Loss of probabilities, mean over the batch."""
        is_present = present(target, p)
        false_negative = F.relu(self.positive - p).square()
        false_positive = F.relu(p - self.negative).square()
        loss = is_present * false_negative + self.down * (1 - is_present) * false_positive
        return loss.sum(1).mean() if self.reduction == "sum" else loss.mean() / 2


def present(target: Shaped[Tensor, "batch *class"], p: Float[Tensor, "batch class"]) -> Float[Tensor, "batch class"]:
    """1 for the classes of each sample, 0 for the others."""
    return F.one_hot(target, p.shape[1]).to(p) if target.dim() == 1 else target.to(p)
