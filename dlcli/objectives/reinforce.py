"""REINFORCE training of an architecture controller."""

from typing import cast

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.space import SharesWeights
from dlcli.core.task import Batch, Carry, Loss, Task
from dlcli.objectives.reward import Reward


class Reinforce(nn.Module):
    """Policy gradient loss -(R - b) log p of one sampled architecture with reward R; the shared weights are fixed.

    The entropy of the sampled decisions is added to R without a gradient. The baseline b is a moving average of R that
    includes the current R. A player with `accumulate: 20` averages twenty architectures, each on a separate batch. The
    carried state is reset for every architecture.

    Paper: Williams 1992, Machine Learning 8; Pham et al. 2018, arXiv:1802.03268, section 2.2. Differs: the published
    macro and recurrent codes add -p log p of the sampled choice instead of the entropy of the distribution (as in their
    micro code).

    Args:
        task: task whose metrics define the reward.
        reward: function from the metrics of a batch to the reward.
        entropy: weight of the entropy, in units of the reward per nat.
        decay: decay of the baseline, in [0, 1).
        start: initial baseline (0 in the published codes); None uses the first reward.

    Raises:
        UsageError: a number is out of range.
    """

    needs = SharesWeights
    baseline: Tensor

    def __init__(self, task: Task, *, reward: Reward, entropy: float, decay: float, start: float | None) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise UsageError("invalid_value", key="objective.decay", must="in [0, 1)", got=decay)
        if entropy < 0:
            raise UsageError("invalid_value", key="objective.entropy", must="at least 0", got=entropy)
        self.task, self.reward, self.entropy, self.decay = task, reward, entropy, decay
        self.register_buffer("baseline", torch.tensor(torch.nan if start is None else start))

    def forward(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        sampled = cast(SharesWeights, model).controller.sample(1)
        entropy = sampled.entropy[0].detach()
        reward = self._reward_of(model, sampled.tuples()[0], batch)
        total_reward = reward + self.entropy * entropy
        self._update_baseline(total_reward)
        advantage = total_reward - self.baseline
        terms = {
            "reward": reward,
            "baseline": self.baseline.clone(),
            "advantage": advantage,
            "entropy": entropy,
            "log_prob": sampled.log_prob[0].detach(),
        }
        return Loss(-advantage * sampled.log_prob[0] + sampled.penalty[0], terms)

    def _reward_of(self, model: nn.Module, architecture: tuple[int, ...], batch: Batch) -> Tensor:
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

    def _update_baseline(self, total_reward: Tensor) -> None:
        self.baseline.copy_(
            torch.where(self.baseline.isnan(), total_reward, self.baseline.lerp(total_reward, 1 - self.decay))
        )
