"""What an agent chooses from, and its choice as an answer of a policy: float32 [lane, unit]."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor


@runtime_checkable
class Choice(Protocol):
    """A space of actions, and what they are to the task."""

    space: spaces.Space

    def answer(self, actions: np.ndarray) -> Tensor:
        """Actions [lane, ...] as answers [lane, unit]."""


class OneOf:
    """A number of actions: the chosen one has the highest score."""

    def __init__(self, count: int) -> None:
        self.space: spaces.Space = spaces.Discrete(count)
        self._scores = torch.eye(count)

    def answer(self, actions: np.ndarray) -> Tensor:
        return self._scores[torch.from_numpy(actions)]


class Cell:
    """Some points among real values: [action, unit]."""

    def __init__(self, cells: Tensor) -> None:
        self.space: spaces.Space = spaces.Discrete(len(cells))
        self._cells = cells.detach().clone()

    def answer(self, actions: np.ndarray) -> Tensor:
        return self._cells[torch.from_numpy(actions)]


class Values:
    """Real values, as they are."""

    def __init__(self, width: int) -> None:
        self.space: spaces.Space = unbounded((width,))

    def answer(self, actions: np.ndarray) -> Tensor:
        return torch.from_numpy(actions)


def unbounded(shape: tuple[int, ...]) -> spaces.Box:
    """All finite values: stable-baselines3 wants bounds, and the task knows its own."""
    most = float(np.finfo(np.float32).max)
    return spaces.Box(-most, most, shape, np.float32)
