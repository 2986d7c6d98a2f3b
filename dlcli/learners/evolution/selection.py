"""Selection criteria: reward, novelty, or both."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.population import Rating
from dlcli.core.rng import generator

_ROWS = 1024  # rows of the distance matrix at a time


@runtime_checkable
class SelectionScore(Protocol):
    """Ranking of a generation; `by_reward` is true if it depends on reward only."""

    by_reward: bool

    def rank(self, rating: Rating) -> tuple[Tensor, dict[str, Tensor]]:
        """Centered ranks, float64 [individual], NaN for failed individuals; and values to log."""

    def novelty(self, behaviour: Tensor) -> Tensor:
        """Novelty of behaviors [n, k] relative to the archive, float64 [n]; zeros without an archive."""

    def remember(self, behaviour: Tensor, *key: int) -> None:
        """Add behaviors [n, k] to the archive at random, seeded by the key."""

    def state_dict(self) -> dict[str, Any]:
        """The archive."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the archive."""


class Reward:
    """Selection by fitness."""

    by_reward = True

    def rank(self, rating: Rating) -> tuple[Tensor, dict[str, Tensor]]:
        return centered_ranks(rating.fitness), {}

    def novelty(self, behaviour: Tensor) -> Tensor:
        return torch.zeros(len(behaviour), dtype=torch.float64)

    def remember(self, behaviour: Tensor, *key: int) -> None:
        pass

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class Novelty:
    """Selection by novelty: mean distance to the k nearest behaviors in the generation and an archive.

    Paper: Lehman & Stanley 2011, Evolutionary Computation 19(2), section 3; Conti et al. 2017, arXiv:1712.06560,
    section 3.1, which compares with the archive only.

    Args:
        k: number of nearest neighbors.
        archive_probability: probability that a behavior is added to the archive.
        exponent: exponent of the Euclidean distance before averaging; 2 is the squared distance.
        generation: compare with the other individuals of the generation in addition to the archive.

    Raises:
        UsageError: a number is out of range.
    """

    by_reward = False

    def __init__(self, *, k: int, archive_probability: float, exponent: float, generation: bool) -> None:
        if k < 1:
            raise UsageError("invalid_value", key="learner.score.k", must="at least 1", got=k)
        if not 0 <= archive_probability <= 1:
            key = "learner.score.archive_probability"
            raise UsageError("invalid_value", key=key, must="in [0, 1]", got=archive_probability)
        if not exponent > 0:
            raise UsageError("invalid_value", key="learner.score.exponent", must="above 0", got=exponent)
        self._k, self._probability, self._exponent = k, archive_probability, exponent
        self._generation = generation
        self._archive: Tensor | None = None

    def rank(self, rating: Rating) -> tuple[Tensor, dict[str, Tensor]]:
        fit = ~rating.fitness.isnan()
        novelty = torch.full_like(rating.fitness, torch.nan)
        novelty[fit] = self._generation_novelty(rating.behaviour[fit])
        size = 0 if self._archive is None else len(self._archive)
        return centered_ranks(novelty), {"novelty_mean": novelty.nanmean(), "archive": torch.tensor(float(size))}

    def _generation_novelty(self, behaviour: Tensor) -> Tensor:
        """Novelty relative to the archive and, if configured, to the generation."""
        if not self._generation:
            return self.novelty(behaviour)
        archive = behaviour[:0] if self._archive is None else self._archive
        return sparseness(behaviour, torch.cat((behaviour, archive)), self._k, self._exponent, own=True)

    def novelty(self, behaviour: Tensor) -> Tensor:
        archive = behaviour[:0] if self._archive is None else self._archive
        return sparseness(behaviour, archive, self._k, self._exponent, own=False)

    def remember(self, behaviour: Tensor, *key: int) -> None:
        keep = torch.rand(len(behaviour), generator=generator(*key)) < self._probability
        old = behaviour[:0] if self._archive is None else self._archive
        self._archive = torch.cat((old, behaviour[keep]))

    def state_dict(self) -> dict[str, Any]:
        return {"archive": self._archive}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._archive = state["archive"]


class Blend:
    """Weighted mean of the centered ranks of novelty and reward; equal weights give NSR-ES (Conti et al. 2017, 3.2).

    Args:
        novelty: the novelty criterion.
        weight: weight of novelty in [0, 1]; reward has the weight 1 - weight.

    Raises:
        UsageError: the weight is out of range.
    """

    by_reward = False

    def __init__(self, *, novelty: Novelty, weight: float) -> None:
        if not 0 <= weight <= 1:
            raise UsageError("invalid_value", key="learner.score.weight", must="in [0, 1]", got=weight)
        self._novelty, self._weight = novelty, weight
        self.novelty, self.remember = novelty.novelty, novelty.remember
        self.state_dict, self.load_state_dict = novelty.state_dict, novelty.load_state_dict

    def rank(self, rating: Rating) -> tuple[Tensor, dict[str, Tensor]]:
        ranks, values = self._novelty.rank(rating)
        return self._weight * ranks + (1 - self._weight) * centered_ranks(rating.fitness), values


def centered_ranks(values: Tensor) -> Tensor:
    """Ranks scaled to [-0.5, 0.5], float64 [n]; ties share their mean rank, NaN stays NaN.

    Paper: Salimans et al. 2017, arXiv:1703.03864, section 2 (fitness shaping). Differs: ties share their rank.
    """
    fit = ~values.isnan()
    _, place, count = torch.unique(values[fit].double(), return_inverse=True, return_counts=True)
    rank = count.cumsum(0) - (count + 1) / 2
    ranks = torch.full_like(values, torch.nan, dtype=torch.float64)
    ranks[fit] = (rank.double() / max(1, int(fit.sum()) - 1) - (0.5 if len(place) > 1 else 0.0))[place]
    return ranks


def sparseness(behaviour: Tensor, others: Tensor, k: int, exponent: float, *, own: bool) -> Tensor:
    """Mean distance to the k nearest others, or to all if there are fewer; zeros without others; float64 [n].

    Args:
        behaviour: [n, width].
        others: [m, width].
        k: number of nearest neighbors.
        exponent: exponent of the Euclidean distance.
        own: the first n others are the behaviors themselves, whose distance to themselves is ignored.
    """
    k = min(k, len(others) - own)
    if k < 1:
        return torch.zeros(len(behaviour), dtype=torch.float64)
    means = []
    for begin in range(0, len(behaviour), _ROWS):
        part = behaviour[begin : begin + _ROWS].double()
        distance = torch.cdist(part, others.double(), compute_mode="donot_use_mm_for_euclid_dist")
        if own:
            rows = torch.arange(len(part))
            distance[rows, begin + rows] = torch.inf
        means.append(distance.topk(k, largest=False).values.pow(exponent).mean(1))
    return torch.cat(means)
