"""Train on the average of two samples, with the label of the first."""

from collections.abc import Callable

import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.learner import Objective, pace
from dlcli.core.task import Batch, Carry, Loss, Task
from dlcli.nn.stochastic.select_modules import HasModules
from dlcli.objectives.mixing import check_mixable, mixed, shuffled


class SamplePairing(nn.Module):
    """Another objective of (x + x') / 2 and the target of x: off at first, then on and off in turn, off at the end.

    Epochs are counted from 0: it is off before `begin`, then on for `paired` epochs and off for `unpaired` epochs in
    turn, and off from `end`.

    Paper: Inoue 2018, arXiv:1801.02929, section 3. Differs: the other sample is one of the same batch, all of them in
    a random order, not one of the whole training set.

    Args:
        task: what the base takes its loss from.
        base: the objective that is given the averages; it may be any.
        begin: first epoch with pairs.
        paired: epochs with pairs in turn, at least 1.
        unpaired: epochs without, 0 for no break.
        end: first epoch of fine-tuning without pairs; None never ends.

    Raises:
        UsageError: the epochs are out of range.
        Mismatch: the inputs are no real values, or the task has no loss.
    """

    def __init__(
        self, task: Task, *, base: Callable[[Task], Objective], begin: int, paired: int, unpaired: int, end: int | None
    ) -> None:
        super().__init__()
        check_mixable(task, "SamplePairing")
        if begin < 0 or paired < 1 or unpaired < 0 or (end is not None and end < begin):
            raise UsageError(
                "SamplePairing has 0 <= begin <= end, paired >= 1 and unpaired >= 0, "
                f"not begin={begin}, end={end}, paired={paired}, unpaired={unpaired}"
            )
        self.begin, self.paired, self.unpaired, self.end = begin, paired, unpaired, end
        self.base = base(task)
        self.needs = getattr(self.base, "needs", None) or HasModules

    def pairs(self, epoch: int) -> bool:
        """Whether samples are paired in this epoch."""
        if epoch < self.begin or (self.end is not None and epoch >= self.end):
            return False
        return (epoch - self.begin) % (self.paired + self.unpaired) < self.paired

    def pace(self, update: int, turn: int) -> None:
        pace(self.base, update, turn)

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        paired = self.pairs(batch.epoch)
        half = torch.tensor(0.5, device=batch.index.device)
        loss = self.base(model, mixed(batch, shuffled(batch), half) if paired else batch, carry)
        terms = {**loss.terms, "paired": torch.tensor(float(paired), device=batch.index.device)}
        return Loss(loss.value, terms, loss.weight, loss.carry)
