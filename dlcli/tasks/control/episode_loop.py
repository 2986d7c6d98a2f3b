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
    count, step = individuals * episodes, 0
    seats, ends = _Seats(policy, individuals, episodes), _Ends(count)
    row = torch.arange(count)  # the episode that each row of the simulator is
    total = torch.zeros(count, dtype=torch.float64)
    seen = simulator.reset()
    while len(row):
        outcome = simulator.step(seats(seen))
        step += 1
        total.add_(outcome.reward)
        seen = outcome.observation
        over = outcome.over.logical_or(total.isnan())
        if not over.any():
            continue
        done, on = over.nonzero()[:, 0], over.logical_not().nonzero()[:, 0]
        ends.add(row[done], total[done], step, simulator.end(done))
        simulator.keep(on)
        seen, row, total = seen[on], row[on], total[on]
        seats.keep(row)
    return ends.played(individuals, episodes)


class _Seats:
    """Which episodes the policies see where: an individual's side by side, with zeros for those that are over."""

    def __init__(self, policy: Policy, individuals: int, episodes: int) -> None:
        self._policy, self._episodes = policy, episodes
        self._inside = torch.arange(individuals)  # individuals that the policies still hold
        self._place: Tensor | None = None  # the seat of every row; None when all seats are taken

    def __call__(self, seen: Tensor) -> Tensor:
        """What the policies answer to every row, [row, unit]."""
        shape = (len(self._inside), self._episodes, *seen.shape[1:])
        if self._place is None:
            return self._policy(seen.view(shape)).flatten(0, 1)
        grid = seen.new_zeros(shape)
        grid.flatten(0, 1)[self._place] = seen
        return self._policy(grid).flatten(0, 1)[self._place]

    def keep(self, row: Tensor) -> None:
        """Only these episodes go on."""
        individual = row // self._episodes if self._episodes > 1 else row
        left = individual.unique_consecutive() if self._episodes > 1 else individual
        if len(left) <= _CROWD * len(self._inside):
            self._policy.keep(torch.searchsorted(self._inside, left))
            self._inside = left
        if len(row) == len(self._inside) * self._episodes:
            self._place = None
        else:
            self._place = torch.searchsorted(self._inside, individual) * self._episodes + row % self._episodes


class _Ends:
    """Collects what episodes came to."""

    def __init__(self, count: int) -> None:
        self._total = torch.zeros(count, dtype=torch.float64)
        self._steps = torch.zeros(count, dtype=torch.int64)
        self._behaviour = torch.zeros(count, 0)
        self._scores: dict[str, Tensor] = {}

    def add(self, rows: Tensor, total: Tensor, steps: int, end: End) -> None:
        if not self._behaviour.shape[1]:
            self._behaviour = torch.zeros(len(self._steps), end.behaviour.shape[1])
        self._total[rows], self._steps[rows], self._behaviour[rows] = total, steps, end.behaviour
        for name, values in end.scores.items():
            self._scores.setdefault(name, torch.zeros_like(self._total))[rows] = values

    def played(self, individuals: int, episodes: int) -> Played:
        shape = (individuals, episodes)
        return Played(
            self._total.view(shape),
            self._steps.view(shape),
            self._behaviour.view(*shape, -1),
            {name: value.view(shape) for name, value in self._scores.items()},
        )
