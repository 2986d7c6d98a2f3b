"""Environment task: a batch is a vector of episode seeds, and its metrics are computed from the played episodes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.core.metric import Goal, Metric
from dlcli.core.population import PolicyPopulation, Rating, Stacked
from dlcli.core.spec import Spec
from dlcli.core.task import Baseline, Batch, Carry, Fitted, Metrics, Score
from dlcli.tasks.control.episode_loop import EpisodeResults, VectorEnvironment, play_episodes

_RANGE = 1 << 40  # number of seeds per split
_SPLITS = ("test", "valid", "train")
_BASELINE = 10  # episodes of the random policy

RETURN = Metric("return", "max", "reward")
_LENGTH = Metric("length", "max", "steps")  # the direction only matters in comparisons by length


class RandomPolicy(nn.Module):
    """Uniformly random policy over the discrete actions, or over continuous actions in [low, high].

    Args:
        low: lower bound of each output unit.
        high: upper bound of each output unit.
    """

    def __init__(self, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self._low, self._high = low, high

    def forward(self, x: Tensor) -> Tensor:
        return self._low + torch.rand(len(x), len(self._low)) * (self._high - self._low)


class Environment(ABC):
    """Environment whose episodes are deterministic functions of a seed and a policy.

    A policy outputs one score per action, of which the highest is taken, or the values of continuous actions. Splits
    are disjoint ranges of episode seeds. Metrics are means over episodes; `return` is the sum of rewards.

    Args:
        spec: observations and outputs of a policy.
        main: the main metric.
        episodes: episodes per individual in a training batch.
        valid_episodes: episodes of the validation split.
        test_episodes: episodes of the test split.
        lanes: number of parallel episodes in evaluation.
        scores: metrics reported by episodes in addition to return and length.
        actions: lower and upper bounds [unit] of the random policy, the baseline; None: -1 and 1.

    Raises:
        UsageError: a number is below 1.
    """

    counter = "env_steps"
    distinct: int | None = None
    """Maximum number of different episodes of a policy; None if unknown."""

    def __init__(
        self,
        spec: Spec,
        main: Goal,
        *,
        episodes: int,
        valid_episodes: int,
        test_episodes: int,
        lanes: int,
        scores: Sequence[Metric] = (),
        actions: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        numbers = {
            "episodes": episodes, "valid_episodes": valid_episodes, "test_episodes": test_episodes, "lanes": lanes,
        }  # fmt: skip
        for name, number in numbers.items():
            if number < 1:
                raise UsageError("invalid_value", key=f"task.{name}", must="at least 1", got=number)
        self.spec = spec
        self.main = main
        self.reported = (RETURN, _LENGTH, *scores)
        width = spec.target.width
        self._actions = actions or (-torch.ones(width), torch.ones(width))
        self.fitted: Fitted = {}
        self._episodes = {"train": episodes, "valid": valid_episodes, "test": test_episodes}
        self._lanes = lanes

    @abstractmethod
    def simulate(self, seeds: Tensor) -> VectorEnvironment:
        """Parallel episodes with the given seeds, int64 [row]."""

    def size(self, split: str) -> int:
        if split == "train":
            return 1
        return -(-self._episodes[_known(split)] // self._lanes)

    def rows(self, split: str) -> int:
        """Number of episodes."""
        return self._episodes[_known(split)]

    def batch(self, split: str, index: int) -> Batch:
        begin = _SPLITS.index(_known(split)) * _RANGE
        step = self._episodes["train"] if split == "train" else self._lanes
        count = step if split == "train" else min(step, self._episodes[split] - index * step)
        seeds = begin + index * step + torch.arange(count)
        first = torch.ones(count, dtype=torch.bool)
        return Batch((), seeds, first, index, index if split == "train" else 0, seeds)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        """One value per episode; the return of a failed episode is NaN, and so is the mean."""
        played = self._played(model, None, batch.index, 1)
        values = {"return": played.total, "length": played.steps, **played.scores}
        weight = torch.ones(len(batch), dtype=torch.float64)
        return Metrics({name: Score(value[0].double(), weight) for name, value in values.items()})

    def rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        """Fitness (mean over episodes), behavior characterization (mean over episodes) and number of steps."""
        count = len(next(iter(parameters.values())))
        played = self._played(model, parameters, torch.cat([batch.index for batch in batches]), count)
        return Rating(self.fitness(played).mean(1), played.behaviour.mean(1), played.steps.sum(1))

    def fitness(self, played: EpisodeResults) -> Tensor:
        """Fitness of every episode, float64 [individual, episode]: the return."""
        return played.total

    def _played(self, model: nn.Module, parameters: Stacked | None, seeds: Tensor, individuals: int) -> EpisodeResults:
        with evaluation_mode(model):
            policy = PolicyPopulation(model, parameters, len(seeds))
            played = play_episodes(self.simulate(seeds.repeat(individuals)), policy, individuals, len(seeds))
        return replace(played, total=torch.where(played.total.isfinite(), played.total, torch.nan))

    def baseline(self) -> Baseline:
        """The random policy, on the first episodes of a split."""
        return Baseline("random policy", RandomPolicy(*self._actions), rows=_BASELINE)

    def to(self, device: torch.device) -> "Environment":
        """Environments and their policies run on the CPU.

        Raises:
            UsageError: the device is not the CPU.
        """
        if device.type != "cpu":
            raise UsageError("unsupported", subject=type(self).__name__, feature=f"device={device}", hint="device=cpu")
        return self


def _known(split: str) -> str:
    if split not in _SPLITS:
        raise UsageError("unknown_name", kind="split", name=split, known=_SPLITS)
    return split
