"""The task's own loss."""

from torch import nn

from dlcli.core.errors import Mismatch
from dlcli.core.task import Batch, Carry, Loss, Task
from dlcli.core.task import Supervised as Graded


class Supervised:
    """Descend what the task calls its loss."""

    def __init__(self, task: Task) -> None:
        if not isinstance(task, Graded):
            raise Mismatch(f"{type(task).__name__} has no loss to descend: dlcli evolve, or another learner")
        self.task = task

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return self.task.loss(model, batch, carry)
