"""Episodes: a vectorized environment that steps many episodes at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from dlcli.core.task import Task


@dataclass(frozen=True)
class Transition:
    """Result of one step, one row per episode.

    Args:
        observation: float32 [row, *shape], the next observation; undefined for finished episodes.
        reward: float64 [row]; NaN marks a failed episode.
        over: bool [row]; True if the episode has finished.
    """

    observation: Tensor
    reward: Tensor
    over: Tensor


@dataclass(frozen=True)
class EpisodeSummary:
    """Summary of finished episodes, one row per episode.

    Args:
        behaviour: float32 [row, k], behavior characterization (Lehman & Stanley 2011).
        scores: float64 [row] by name, reported in addition to the return.
    """

    behaviour: Tensor
    scores: Mapping[str, Tensor]


@runtime_checkable
class VectorEnvironment(Protocol):
    """Vectorized environment: each episode depends only on its seed and its actions, not on the other episodes."""

    def reset(self) -> Tensor:
        """Return the first observations [row, *shape]; called once."""

    def step(self, output: Tensor) -> Transition:
        """Advance every episode by one step.

        Args:
            output: [row, unit], the raw output of the policy. Every episode has a finite length.
        """

    def end(self, rows: Tensor) -> EpisodeSummary:
        """Return the summary of finished episodes.

        Args:
            rows: int64 [n], indices of the episodes.
        """

    def keep(self, rows: Tensor) -> None:
        """Drop all episodes except those in `rows` (int64 [n]), and reorder them."""


@runtime_checkable
class PlayableTask(Task, Protocol):
    """Environment: a task whose batches are seeds of episodes that a policy can play."""

    def simulate(self, seeds: Tensor) -> VectorEnvironment:
        """Return a vectorized environment with one episode per seed, int64 [row]."""
