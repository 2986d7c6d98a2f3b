"""An environment as a task: a batch is a vector of episode seeds, and its metrics play them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation_mode import evaluating
from dlcli.core.metric import Goal, Metric
from dlcli.core.population import Policies, Rating, Stacked
from dlcli.core.spec import Spec
from dlcli.core.task import Baseline, Batch, Carry, Fitted, Metrics, Score
from dlcli.tasks.control.episode_loop import Played, Simulator, play

_RANGE = 1 << 40  # seeds of a split
_SPLITS = ("test", "valid", "train")
_BASELINE = 10  # episodes of the random policy

RETURN = Metric("return", "max", "reward")
_LENGTH = Metric("length", "max", "steps")  # the direction only matters to a comparison by length


class RandomPolicy(nn.Module):
    """Random actions: each of several equally likely, or values uniform in [low, high].

    Args:
        low: smallest value per unit.
        high: largest value per unit.
    """

    def __init__(self, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self._low, self._high = low, high

    def forward(self, x: Tensor) -> Tensor:
        return self._low + torch.rand(len(x), len(self._low)) * (self._high - self._low)


class Environment(ABC):
    """Episodes that policies play. What is played is deterministic but for the episode's seed.

    Policies answer with one score an action (the highest is taken), or with the values of the actions themselves.
    Splits are disjoint ranges of episode seeds. Scores are means over episodes; `return` is the sum of rewards.

    Args:
        spec: what a policy sees and answers.
        main: what decides.
        episodes: of an individual in a training batch.
        valid_episodes: of the validation split.
        test_episodes: of the test split.
        lanes: episodes side by side while a policy is scored.
        scores: metrics that episodes report beside return and length.
        actions: smallest and largest action [unit] of the random policy, the baseline; None: -1 and 1.

    Raises:
        UsageError: a number is below 1.
    """

    counter = "env_steps"
    distinct: int | None = None
    """How many different episodes there are for a policy, at most; None where nobody knows."""

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
                raise UsageError(f"task.{name} is at least 1, not {number}")
        self.spec = spec
        self.main = main
        self.reported = (RETURN, _LENGTH, *scores)
        width = spec.target.width
        self._actions = actions or (-torch.ones(width), torch.ones(width))
        self.fitted: Fitted = {}
        self._episodes = {"train": episodes, "valid": valid_episodes, "test": test_episodes}
        self._lanes = lanes

    @abstractmethod
    def simulate(self, seeds: Tensor) -> Simulator:
        """Episodes of these seeds, int64 [row], side by side."""

    def size(self, split: str) -> int:
        if split == "train":
            return 1
        return -(-self._episodes[_known(split)] // self._lanes)

    def rows(self, split: str) -> int:
        """Episodes."""
        return self._episodes[_known(split)]

    def batch(self, split: str, index: int) -> Batch:
        begin = _SPLITS.index(_known(split)) * _RANGE
        step = self._episodes["train"] if split == "train" else self._lanes
        count = step if split == "train" else min(step, self._episodes[split] - index * step)
        seeds = begin + index * step + torch.arange(count)
        first = torch.ones(count, dtype=torch.bool)
        return Batch((), seeds, first, index, index if split == "train" else 0, seeds)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        """One value an episode; an episode that failed is NaN, and makes the mean so."""
        played = self._played(model, None, batch.index, 1)
        values = {"return": played.total, "length": played.steps, **played.scores}
        one = torch.ones(len(batch), dtype=torch.float64)
        return Metrics({name: Score(value[0].double(), one) for name, value in values.items()})

    def rate(self, model: nn.Module, parameters: Stacked, batches: Sequence[Batch]) -> Rating:
        """Fitness is the mean return; behaviour the mean of the episodes' characterisations."""
        count = len(next(iter(parameters.values())))
        played = self._played(model, parameters, torch.cat([batch.index for batch in batches]), count)
        return Rating(self.fitness(played).mean(1), played.behaviour.mean(1), played.steps.sum(1))

    def fitness(self, played: Played) -> Tensor:
        """Of every episode, float64 [individual, episode]: the return."""
        return played.total

    def _played(self, model: nn.Module, parameters: Stacked | None, seeds: Tensor, individuals: int) -> Played:
        with evaluating(model):
            policy = Policies(model, parameters, len(seeds))
            played = play(self.simulate(seeds.repeat(individuals)), policy, individuals, len(seeds))
        return replace(played, total=torch.where(played.total.isfinite(), played.total, torch.nan))

    def baseline(self) -> Baseline:
        """The random policy, on the first episodes of a split."""
        return Baseline("random policy", RandomPolicy(*self._actions), rows=_BASELINE)

    def to(self, device: torch.device) -> "Environment":
        """Environments run on the processor, and so do their policies.

        Raises:
            UsageError: another device is asked for.
        """
        if device.type != "cpu":
            raise UsageError(f"{type(self).__name__} runs on the processor: device=cpu, not {device}")
        return self


def _known(split: str) -> str:
    if split not in _SPLITS:
        raise UsageError(f"an environment has the splits {', '.join(sorted(_SPLITS))}, not {split!r}")
    return split
