"""SamplePairing: average of two samples with the label of the first."""

from collections.abc import Callable

import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.learner import Objective, pace
from dlcli.core.task import Batch, Carry, Loss, Task
from dlcli.nn.stochastic.select_modules import HasModules
from dlcli.objectives.mixing import check_mixable, mixed, shuffled


class SamplePairing(nn.Module):
    """Base objective of (x + x') / 2 with the target of x, in an intermittent schedule.

    With epochs counted from 0, pairing is off before `begin`, then alternates between `paired` epochs with and
    `unpaired` epochs without pairing, and is off from `end`.

    Paper: Inoue 2018, arXiv:1801.02929, section 3. Differs: the partner is from the same batch, by a random
    permutation, instead of from the complete training set.

    Args:
        task: batches and loss.
        base: factory of the base objective from the task.
        begin: first epoch with pairing.
        paired: consecutive epochs with pairing, at least 1.
        unpaired: consecutive epochs without pairing; 0: no interruption.
        end: first epoch of fine-tuning without pairing; None: no fine-tuning.

    Raises:
        UsageError: the epochs are out of range.
        Mismatch: an input is not real-valued, or the task has no loss.
    """

    def __init__(
        self, task: Task, *, base: Callable[[Task], Objective], begin: int, paired: int, unpaired: int, end: int | None
    ) -> None:
        super().__init__()
        check_mixable(task, "SamplePairing")
        if begin < 0 or paired < 1 or unpaired < 0 or (end is not None and end < begin):
            raise UsageError(
                "invalid_value",
                key="objective (SamplePairing)",
                must="0 <= begin <= end, paired >= 1, unpaired >= 0",
                got=f"begin={begin}, end={end}, paired={paired}, unpaired={unpaired}",
            )
        self.begin, self.paired, self.unpaired, self.end = begin, paired, unpaired, end
        self.base = base(task)
        self.needs = getattr(self.base, "needs", None) or HasModules

    def pairs(self, epoch: int) -> bool:
        """True if samples are paired in this epoch."""
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
