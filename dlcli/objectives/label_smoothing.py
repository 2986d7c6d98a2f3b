"""Cross-entropy with label smoothing."""

from dataclasses import replace
from functools import partial

import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.needs import require_loss
from dlcli.core.spec import Classes, Labels
from dlcli.core.task import Batch, Carry, Loss, Task, call

_IGNORED = -100  # class of ignored positions


class LabelSmoothing(nn.Module):
    """Cross-entropy with the target (1 - smoothing) y + smoothing / K for K classes, at each position.

    For multi-label targets each label is a binary class (K = 2), with the loss of the task.

    Paper: Szegedy et al. 2016, arXiv:1512.00567, section 7.

    Args:
        task: task whose target is classes or labels.
        smoothing: smoothing parameter, in [0, 1).

    Raises:
        UsageError: the smoothing parameter is out of range.
        Mismatch: the target is neither classes nor labels, or the task has no loss.
    """

    def __init__(self, task: Task, *, smoothing: float) -> None:
        super().__init__()
        if not isinstance(task.spec.target, Classes | Labels):
            got = task.spec.describe()
            raise Mismatch("mismatch", subject="objective=label_smoothing", requirement="classes as target", got=got)
        if not 0 <= smoothing < 1:
            raise UsageError("invalid_value", key="objective.smoothing", must="in [0, 1)", got=smoothing)
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
