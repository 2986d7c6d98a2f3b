"""Episodes side by side: the one loop over the steps of an environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dlcli.core.episode import End, Outcome, Simulator

__all__ = ["End", "Outcome", "Played", "Policy", "Simulator", "play"]

_CROWD = 0.75  # the part of the population below which those that are done leave it


@runtime_checkable
class Policy(Protocol):
    """Acts for a population; see `core.population.Policies`."""

    def __call__(self, x: Tensor) -> Tensor:
        """[individual, row, *shape] to [individual, row, unit]."""

    def keep(self, individuals: Tensor) -> None:
        """Only these go on."""


@dataclass(frozen=True)
class Played:
    """Episodes that were played, each [individual, episode, ...].

    Args:
        total: float64, the sum of rewards; NaN where an episode failed.
        steps: int64, its length.
        behaviour: float32 [individual, episode, k].
        scores: float64 by name.
    """

    total: Tensor
    steps: Tensor
    behaviour: Tensor
    scores: Mapping[str, Tensor]


def play(simulator: Simulator, policy: Policy, individuals: int, episodes: int) -> Played:
    """Every individual plays its episodes to their end; row `i * episodes + e` of the simulator is episode e of i.

    What is over leaves the simulator at once, and an individual leaves the policies when all its episodes are over,
    a crowd of them at a time. An individual's rows stay as many as they were, so that its arithmetic does not depend
    on when others end.
    """
    count = individuals * episodes
    total = torch.zeros(count, dtype=torch.float64)
    steps = torch.zeros(count, dtype=torch.int64)
    ends = _Ends(count)
    seen = simulator.reset()
    row = torch.arange(count)  # the episode that each row of the simulator is
    place = torch.arange(count)  # and where it stands among those that the policies see
    inside = torch.arange(individuals)
    while len(row):
        output = policy(_grid(seen, place, len(inside), episodes)).flatten(0, 1)
        outcome = simulator.step(output if len(row) == len(output) else output[place])
        total[row] += outcome.reward
        steps[row] += 1
        over = outcome.over | outcome.reward.isnan()
        seen = outcome.observation
        if not over.any():
            continue
        done, on = over.nonzero()[:, 0], (~over).nonzero()[:, 0]
        ends.add(row[done], simulator.end(done))
        simulator.keep(on)
        seen, row = seen[on], row[on]
        left = torch.unique(row // episodes)
        if len(left) <= _CROWD * len(inside):
            policy.keep(torch.searchsorted(inside, left))
            inside = left
        place = torch.searchsorted(inside, row // episodes) * episodes + row % episodes
    return Played(
        total.view(individuals, episodes),
        steps.view(individuals, episodes),
        ends.behaviour.view(individuals, episodes, -1),
        {name: value.view(individuals, episodes) for name, value in ends.scores.items()},
    )


def _grid(seen: Tensor, place: Tensor, individuals: int, episodes: int) -> Tensor:
    """The observations where the policies expect them; zeros stand for what is over."""
    if len(seen) == individuals * episodes:
        return seen.unflatten(0, (individuals, episodes))
    grid = seen.new_zeros(individuals * episodes, *seen.shape[1:])
    grid[place] = seen
    return grid.unflatten(0, (individuals, episodes))


class _Ends:
    """Collects what episodes came to."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.behaviour = torch.zeros(count, 0)
        self.scores: dict[str, Tensor] = {}

    def add(self, rows: Tensor, end: End) -> None:
        if not self.behaviour.shape[1]:
            self.behaviour = torch.zeros(self._count, end.behaviour.shape[1])
        self.behaviour[rows] = end.behaviour
        for name, values in end.scores.items():
            self.scores.setdefault(name, torch.zeros(self._count, dtype=torch.float64))[rows] = values
