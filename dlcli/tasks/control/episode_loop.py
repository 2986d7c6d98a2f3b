"""Loop over the steps of parallel episodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dlcli.core.episode import EpisodeSummary, Transition, VectorEnvironment

__all__ = ["EpisodeResults", "EpisodeSummary", "Policy", "Transition", "VectorEnvironment", "play_episodes"]

_SHRINK_BELOW = 0.75  # finished individuals are removed from the policies when this share or less remains


@runtime_checkable
class Policy(Protocol):
    """Policies of a population; see `core.population.PolicyPopulation`."""

    def __call__(self, x: Tensor) -> Tensor:
        """Map observations [individual, row, *shape] to outputs [individual, row, unit]."""

    def keep(self, individuals: Tensor) -> None:
        """Remove all other individuals."""


@dataclass(frozen=True)
class EpisodeResults:
    """Results of episodes, each [individual, episode, ...].

    Args:
        total: float64, the sum of rewards; NaN for failed episodes.
        steps: int64, the length.
        behaviour: float32 [individual, episode, k], the behavior characterization.
        scores: float64, further metrics by name.
    """

    total: Tensor
    steps: Tensor
    behaviour: Tensor
    scores: Mapping[str, Tensor]


def play_episodes(simulator: VectorEnvironment, policy: Policy, individuals: int, episodes: int) -> EpisodeResults:
    """Play all episodes of all individuals to their end; simulator row `i * episodes + e` is episode e of individual i.

    Finished episodes are removed from the simulator immediately. Individuals whose episodes are all finished are
    removed from the policies in groups. The number of rows of an individual does not change, so that its floating-point
    results do not depend on the lengths of other episodes.
    """
    count, step = individuals * episodes, 0
    policy_rows, ends = _PolicyRows(policy, individuals, episodes), _Ends(count)
    row = torch.arange(count)  # episode number of each simulator row
    total = torch.zeros(count, dtype=torch.float64)
    observation = simulator.reset()
    while len(row):
        outcome = simulator.step(policy_rows(observation))
        step += 1
        total.add_(outcome.reward)
        observation = outcome.observation
        over = outcome.over.logical_or(total.isnan())
        if not over.any():
            continue
        done, running = over.nonzero()[:, 0], over.logical_not().nonzero()[:, 0]
        ends.add(row[done], total[done], step, simulator.end(done))
        simulator.keep(running)
        observation, row, total = observation[running], row[running], total[running]
        policy_rows.keep(row)
    return ends.played(individuals, episodes)


class _PolicyRows:
    """Arrangement of episodes for the policies: [individual, episode], with zeros for finished episodes."""

    def __init__(self, policy: Policy, individuals: int, episodes: int) -> None:
        self._policy, self._episodes = policy, episodes
        self._inside = torch.arange(individuals)  # individuals that the policies still contain
        self._slot: Tensor | None = None  # slot of every row; None if all slots are in use

    def __call__(self, observation: Tensor) -> Tensor:
        """Outputs of the policies for every row, [row, unit]."""
        shape = (len(self._inside), self._episodes, *observation.shape[1:])
        if self._slot is None:
            return self._policy(observation.view(shape)).flatten(0, 1)
        grid = observation.new_zeros(shape)
        grid.flatten(0, 1)[self._slot] = observation
        return self._policy(grid).flatten(0, 1)[self._slot]

    def keep(self, row: Tensor) -> None:
        """Remove all other episodes."""
        individual = row // self._episodes if self._episodes > 1 else row
        remaining = individual.unique_consecutive() if self._episodes > 1 else individual
        if len(remaining) <= _SHRINK_BELOW * len(self._inside):
            self._policy.keep(torch.searchsorted(self._inside, remaining))
            self._inside = remaining
        if len(row) == len(self._inside) * self._episodes:
            self._slot = None
        else:
            self._slot = torch.searchsorted(self._inside, individual) * self._episodes + row % self._episodes


class _Ends:
    """Collect the results of finished episodes."""

    def __init__(self, count: int) -> None:
        self._total = torch.zeros(count, dtype=torch.float64)
        self._steps = torch.zeros(count, dtype=torch.int64)
        self._behaviour = torch.zeros(count, 0)
        self._scores: dict[str, Tensor] = {}

    def add(self, rows: Tensor, total: Tensor, steps: int, end: EpisodeSummary) -> None:
        if not self._behaviour.shape[1]:
            self._behaviour = torch.zeros(len(self._steps), end.behaviour.shape[1])
        self._total[rows], self._steps[rows], self._behaviour[rows] = total, steps, end.behaviour
        for name, values in end.scores.items():
            self._scores.setdefault(name, torch.zeros_like(self._total))[rows] = values

    def played(self, individuals: int, episodes: int) -> EpisodeResults:
        shape = (individuals, episodes)
        return EpisodeResults(
            self._total.view(shape),
            self._steps.view(shape),
            self._behaviour.view(*shape, -1),
            {name: value.view(shape) for name, value in self._scores.items()},
        )
