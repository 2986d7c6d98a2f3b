"""Training objective of the shared weights of a supernet."""

from typing import cast

import torch
from torch import nn

from dlcli.core.needs import require_loss
from dlcli.core.space import SharesWeights
from dlcli.core.task import Batch, Carry, Loss, Task


class SharedWeights:
    """Loss of a new random architecture for every batch; the controller receives no gradient.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.2, gradient estimate from one sample (M = 1).

    Raises:
        Mismatch: the task has no loss.
    """

    needs = SharesWeights

    def __init__(self, task: Task) -> None:
        self.task = require_loss(task, "SharedWeights")

    def __call__(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        shared = cast(SharesWeights, model)
        with torch.no_grad():
            (architecture,) = shared.controller.sample(1).tuples()
        return self.task.loss(shared.child(architecture), batch, carry)
