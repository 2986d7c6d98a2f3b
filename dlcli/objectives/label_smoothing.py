"""Cross-entropy against targets that are not quite certain."""

from dataclasses import replace
from functools import partial

import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.needs import require_loss
from dlcli.core.spec import Classes, Labels
from dlcli.core.task import Batch, Carry, Loss, Task, call

_IGNORED = -100  # the class of a position that does not count


class LabelSmoothing(nn.Module):
    """Cross-entropy against (1 - smoothing) y + smoothing / K, at each position of a target of K classes.

    Of a target with several labels at once each is a class and its absence, K = 2, and the loss is the task's.

    Paper: Szegedy et al. 2016, arXiv:1512.00567, section 7.

    Args:
        task: its target is classes, or labels.
        smoothing: what the true class gives up, in [0, 1).

    Raises:
        UsageError: the smoothing is out of range.
        Mismatch: the target is neither, or the task has no loss.
    """

    def __init__(self, task: Task, *, smoothing: float) -> None:
        super().__init__()
        if not isinstance(task.spec.target, Classes | Labels):
            raise Mismatch(f"label smoothing is for classes, not for {task.spec.describe()}")
        if not 0 <= smoothing < 1:
            raise UsageError(f"smoothing is in [0, 1), not {smoothing}")
        self.task, self.smoothing = require_loss(task, "LabelSmoothing"), smoothing

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        if isinstance(self.task.spec.target, Labels):
            target = (1 - self.smoothing) * batch.target + self.smoothing / 2
            return self.task.loss(model, replace(batch, target=target), carry)
        output, after = call(model, batch, carry)
        rows, target = output.movedim(1, -1).flatten(0, -2), batch.target.flatten()
        labeled = (target != _IGNORED).sum()
        units = labeled.clamp(min=1)
        total = partial(F.cross_entropy, target=target, ignore_index=_IGNORED, reduction="sum")
        value = total(rows, label_smoothing=self.smoothing) / units
        return Loss(value, {"nll": total(rows.detach()) / units}, labeled, after)
