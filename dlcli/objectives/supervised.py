"""Loss of the task."""

from torch import nn

from dlcli.core.needs import require_loss
from dlcli.core.task import Batch, Carry, Loss, Task


class Supervised:
    """Loss of the task as the training objective.

    Raises:
        Mismatch: the task has no loss.
    """

    def __init__(self, task: Task) -> None:
        self.task = require_loss(task, "Supervised")

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return self.task.loss(model, batch, carry)
