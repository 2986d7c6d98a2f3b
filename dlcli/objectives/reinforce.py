"""Train a controller by what its architectures are worth."""

from typing import cast

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.space import SharesWeights
from dlcli.core.task import Batch, Carry, Loss, Task
from dlcli.objectives.reward import Reward


class Reinforce(nn.Module):
    """-(R - b) log p of one architecture, R its reward on the batch with the shared weights, which stay as they are.

    To R is added the entropy of the sample's decisions, as a number without a gradient. The baseline b is a moving
    average of R that has already seen this R. A player with `accumulate: 20` averages twenty architectures, each on a
    batch of its own. A carried state starts anew for every architecture.

    Paper: Williams 1992, Machine Learning 8; Pham et al. 2018, arXiv:1802.03268, section 2.2. The published macro and
    recurrent codes add -p log p of the choice that was made, here it is the entropy of the choice (as in their micro).

    Args:
        task: whose metrics are rewarded.
        reward: from those of a batch to what is paid.
        entropy: weight of the entropy, in units of the reward a nat.
        decay: of the baseline, in [0, 1).
        start: the baseline before the first reward (the published codes: 0); None begins with the first reward.

    Raises:
        UsageError: a number is out of range.
    """

    needs = SharesWeights
    baseline: Tensor

    def __init__(self, task: Task, *, reward: Reward, entropy: float, decay: float, start: float | None) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise UsageError(f"decay of the baseline is in [0, 1), not {decay}")
        if entropy < 0:
            raise UsageError(f"entropy of Reinforce is at least 0, not {entropy}")
        self.task, self.reward, self.entropy, self.decay = task, reward, entropy, decay
        self.register_buffer("baseline", torch.tensor(torch.nan if start is None else start))

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        sampled = cast(SharesWeights, model).controller.sample(1)
        entropy = sampled.entropy[0].detach()
        reward = self._rewarded(model, sampled.tuples()[0], batch)
        paid = reward + self.entropy * entropy
        self._follow(paid)
        advantage = paid - self.baseline
        terms = {
            "reward": reward,
            "baseline": self.baseline.clone(),
            "advantage": advantage,
            "entropy": entropy,
            "log_prob": sampled.log_prob[0].detach(),
        }
        return Loss(-advantage * sampled.log_prob[0] + sampled.penalty[0], terms)

    def _rewarded(self, model: nn.Module, architecture: tuple[int, ...], batch: Batch) -> Tensor:
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                member = cast(SharesWeights, model).child(architecture).eval()
                scores = self.task.metrics(member, batch).values
        finally:
            model.train(training)
        means = {name: value.total.sum() / value.weight.sum() for name, value in scores.items()}
        return self.reward(self.task.main, means).float()

    def _follow(self, paid: Tensor) -> None:
        self.baseline.copy_(torch.where(self.baseline.isnan(), paid, self.baseline.lerp(paid, 1 - self.decay)))
