"""Action spaces of agents, and the conversion of actions to policy outputs: float32 [lane, unit]."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor


@runtime_checkable
class ActionSpace(Protocol):
    """Action space with a conversion to the task's policy outputs."""

    space: spaces.Space

    def to_output(self, actions: np.ndarray) -> Tensor:
        """Convert actions [lane, ...] to policy outputs [lane, unit]."""


class DiscreteActions:
    """Discrete actions; the output is one-hot, so that the action has the highest score."""

    def __init__(self, count: int) -> None:
        self.space: spaces.Space = spaces.Discrete(count)
        self._scores = torch.eye(count)

    def to_output(self, actions: np.ndarray) -> Tensor:
        return self._scores[torch.from_numpy(actions)]


class GridActions:
    """Discretization of a continuous action space: grid points [action, unit]."""

    def __init__(self, cells: Tensor) -> None:
        self.space: spaces.Space = spaces.Discrete(len(cells))
        self._cells = cells.detach().clone()

    def to_output(self, actions: np.ndarray) -> Tensor:
        return self._cells[torch.from_numpy(actions)]


class ContinuousActions:
    """Continuous actions, unchanged."""

    def __init__(self, width: int) -> None:
        self.space: spaces.Space = unbounded((width,))

    def to_output(self, actions: np.ndarray) -> Tensor:
        return torch.from_numpy(actions)


def unbounded(shape: tuple[int, ...]) -> spaces.Box:
    """Box of all finite values: stable-baselines3 requires bounds, and the task applies its own."""
    limit = float(np.finfo(np.float32).max)
    return spaces.Box(-limit, limit, shape, np.float32)
