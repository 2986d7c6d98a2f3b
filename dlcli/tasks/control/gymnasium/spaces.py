"""Conversion of gymnasium's observation and action spaces to policy inputs and outputs."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real


@runtime_checkable
class ObservationEncoder(Protocol):
    """Encoder of observations as policy inputs."""

    @property
    def part(self) -> Real: ...

    def __call__(self, observations: Any) -> Tensor:
        """Convert a sequence or an array of observations to float32 [row, *part.shape]."""


@runtime_checkable
class ActionDecoder(Protocol):
    """Decoder of policy outputs to actions."""

    @property
    def part(self) -> Real | Classes: ...

    def __call__(self, output: Tensor) -> np.ndarray:
        """Convert outputs [row, unit] to one action per row."""

    def range(self) -> tuple[Tensor, Tensor]:
        """Lower and upper bounds [unit] of the outputs of a random policy."""


class Values:
    """Array of numbers, unchanged; a scalar becomes an array of one element."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.part = Real(shape or (1,))

    def __call__(self, observations: Any) -> Tensor:
        array = np.ascontiguousarray(np.asarray(observations, dtype=np.float32))
        return torch.from_numpy(array).view(len(array), -1) if array.ndim < 2 else torch.from_numpy(array)


class Bytes:
    """uint8 arrays scaled to [0, 1]; images (height, width, channel) become (channel, height, width)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._is_image = len(shape) == 3 and shape[2] in (1, 3, 4)
        self.part = Real((shape[2], *shape[:2]) if self._is_image else shape)

    def __call__(self, observations: Any) -> Tensor:
        values = torch.from_numpy(np.asarray(observations))
        if self._is_image:
            values = values.permute(0, 3, 1, 2)
        return values.float().div_(255).contiguous()


class OneHot:
    """One-hot encoding of a discrete observation."""

    def __init__(self, count: int, start: int) -> None:
        self.part = Real((count,))
        self._start = start

    def __call__(self, observations: Any) -> Tensor:
        numbers = torch.from_numpy(np.asarray(observations, dtype=np.int64)).sub(self._start)
        return torch.nn.functional.one_hot(numbers, self.part.width).float()


class Choice:
    """Discrete action with the highest score, the first one of ties."""

    def __init__(self, count: int, start: int) -> None:
        self.part = Classes(count)
        self._start = start

    def __call__(self, output: Tensor) -> np.ndarray:
        chosen = output.argmax(1).numpy()
        return chosen + self._start if self._start else chosen

    def range(self) -> tuple[Tensor, Tensor]:
        """Bounds of random scores; all actions are equally likely for any interval."""
        return -torch.ones(self.part.width), torch.ones(self.part.width)


class Bounded:
    """Continuous action, clipped to the bounds of the space."""

    def __init__(self, space: spaces.Box) -> None:
        self.part = Real((int(np.prod(space.shape)),))
        self._space = space

    def __call__(self, output: Tensor) -> np.ndarray:
        action = output.numpy().astype(self._space.dtype).reshape(len(output), *self._space.shape)
        return np.clip(action, self._space.low, self._space.high)

    def range(self) -> tuple[Tensor, Tensor]:
        """Bounds of the space; -1 and 1 for unbounded units."""
        bounds = (self._space.low, self._space.high)
        low, high = (torch.from_numpy(bound.astype(np.float32).reshape(-1)) for bound in bounds)
        bounded = low.isfinite() & high.isfinite()
        return low.where(bounded, -1.0), high.where(bounded, 1.0)


def observation_encoder(space: spaces.Space[Any], name: str) -> ObservationEncoder:
    """Encoder of the observations of a space.

    Raises:
        UsageError: observations are not a single array of numbers.
    """
    if isinstance(space, spaces.Discrete):
        return OneHot(int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and space.shape:
        return Bytes(tuple(space.shape))
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return Values(tuple(space.shape))
    raise UsageError(
        "mismatch",
        subject="a policy",
        requirement="one array of numbers as observation",
        got=f"a {type(space).__name__} from {name}",
        hint="register an id of the environment in gymnasium.wrappers.FlattenObservation",
    )


def action_decoder(space: spaces.Space[Any], name: str) -> ActionDecoder:
    """Decoder of actions for a space.

    Raises:
        UsageError: the space is neither Discrete nor a Box of real values.
    """
    if isinstance(space, spaces.Discrete):
        return Choice(int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return Bounded(space)
    raise UsageError(
        "mismatch",
        subject="a policy",
        requirement="a Discrete action space or a Box of real values",
        got=f"a {type(space).__name__} from {name}",
    )
