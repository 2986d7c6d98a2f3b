"""Episodes: what a policy acts in, one step of many of them at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from dlcli.core.task import Task


@dataclass(frozen=True)
class Outcome:
    """What a step of some episodes led to, one row an episode.

    Args:
        observation: float32 [row, *shape], what the policy sees next; of no account where the episode is over.
        reward: float64 [row]; NaN fails the episode.
        over: bool [row].
    """

    observation: Tensor
    reward: Tensor
    over: Tensor


@dataclass(frozen=True)
class End:
    """What episodes came to, one row an episode.

    Args:
        behaviour: float32 [row, k], their characterisation.
        scores: float64 [row] by name, what is reported beside the return.
    """

    behaviour: Tensor
    scores: Mapping[str, Tensor]


@runtime_checkable
class Simulator(Protocol):
    """Episodes side by side, each a function of its seed and of the actions alone, whoever is beside it."""

    def reset(self) -> Tensor:
        """The first observations [row, *shape]; called once."""

    def step(self, output: Tensor) -> Outcome:
        """Every episode one step further by its policy's raw output [row, unit]. An episode ends by itself in time."""

    def end(self, rows: Tensor) -> End:
        """What the episodes in some rows came to; called when they are over."""

    def keep(self, rows: Tensor) -> None:
        """Only the episodes in these rows go on, in this order."""


@runtime_checkable
class Plays(Task, Protocol):
    """A task whose batches are seeds of episodes, and which lets others play them."""

    def simulate(self, seeds: Tensor) -> Simulator:
        """Episodes of these seeds, int64 [row], side by side."""
