"""What gymnasium's spaces are to a policy: numbers that it sees, scores or values that it answers with."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real


@runtime_checkable
class Sight(Protocol):
    """Observations as a policy sees them."""

    @property
    def part(self) -> Real: ...

    def __call__(self, observations: Any) -> Tensor:
        """A sequence or an array of them as float32 [row, *part.shape]."""


@runtime_checkable
class Hand(Protocol):
    """What a policy answers as actions."""

    @property
    def part(self) -> Real | Classes: ...

    def __call__(self, output: Tensor) -> np.ndarray:
        """[row, unit] to an action a row."""

    def range(self) -> tuple[Tensor, Tensor]:
        """Smallest and largest output [unit] of a random policy."""


class Values:
    """An array as it is; a single number is an array of one."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.part = Real(shape or (1,))

    def __call__(self, observations: Any) -> Tensor:
        array = np.ascontiguousarray(np.asarray(observations, dtype=np.float32))
        return torch.from_numpy(array).view(len(array), -1) if array.ndim < 2 else torch.from_numpy(array)


class Bytes:
    """Bytes in [0, 1]; a picture (height, width, channel) as (channel, height, width)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._picture = len(shape) == 3 and shape[2] in (1, 3, 4)
        self.part = Real((shape[2], *shape[:2]) if self._picture else shape)

    def __call__(self, observations: Any) -> Tensor:
        values = torch.from_numpy(np.asarray(observations))
        if self._picture:
            values = values.permute(0, 3, 1, 2)
        return values.float().div_(255).contiguous()


class OneHot:
    """One of `count` as so many numbers, one of which is 1."""

    def __init__(self, count: int, start: int) -> None:
        self.part = Real((count,))
        self._start = start

    def __call__(self, observations: Any) -> Tensor:
        numbers = torch.from_numpy(np.asarray(observations, dtype=np.int64)).sub(self._start)
        return torch.nn.functional.one_hot(numbers, self.part.width).float()


class Choice:
    """The action with the highest score, the first of equal ones."""

    def __init__(self, count: int, start: int) -> None:
        self.part = Classes(count)
        self._start = start

    def __call__(self, output: Tensor) -> np.ndarray:
        chosen = output.argmax(1).numpy()
        return chosen + self._start if self._start else chosen

    def range(self) -> tuple[Tensor, Tensor]:
        """Scores of random choices: any interval makes all choices equally likely."""
        return -torch.ones(self.part.width), torch.ones(self.part.width)


class Bounded:
    """The values of the action, kept within the bounds of the space."""

    def __init__(self, space: spaces.Box) -> None:
        self.part = Real((int(np.prod(space.shape)),))
        self._space = space

    def __call__(self, output: Tensor) -> np.ndarray:
        wanted = output.numpy().astype(self._space.dtype).reshape(len(output), *self._space.shape)
        return np.clip(wanted, self._space.low, self._space.high)

    def range(self) -> tuple[Tensor, Tensor]:
        """The bounds of the space; -1 and 1 where it has none."""
        ends = (self._space.low, self._space.high)
        low, high = (torch.from_numpy(end.astype(np.float32).reshape(-1)) for end in ends)
        bounded = low.isfinite() & high.isfinite()
        return low.where(bounded, -1.0), high.where(bounded, 1.0)


def sight(space: spaces.Space[Any], name: str) -> Sight:
    """How observations of a space are seen.

    Raises:
        UsageError: it is no single array of numbers.
    """
    if isinstance(space, spaces.Discrete):
        return OneHot(int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and space.shape:
        return Bytes(tuple(space.shape))
    if isinstance(space, spaces.Box | spaces.MultiBinary):
        return Values(tuple(space.shape))
    raise UsageError(
        f"{name} observes {_kind(space)}, a policy sees one array of numbers: "
        "register an id of it in gymnasium.wrappers.FlattenObservation"
    )


def hand(space: spaces.Space[Any], name: str) -> Hand:
    """How a policy acts in a space.

    Raises:
        UsageError: it is neither one choice of several nor real values.
    """
    if isinstance(space, spaces.Discrete):
        return Choice(int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return Bounded(space)
    raise UsageError(
        f"{name} is acted on by {_kind(space)}, a policy answers with one Discrete choice or a Box of reals"
    )


def _kind(space: spaces.Space[Any]) -> str:
    return f"a {type(space).__name__}"
