"""The task's own loss."""

from torch import nn

from dlcli.core.task import Batch, Carry, Loss, Task


class Supervised:
    """Descend what the task calls its loss."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return self.task.loss(model, batch, carry)
