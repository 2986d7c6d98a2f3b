"""Learning rate over the updates, as a multiple of the optimizer's own rate."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from dlcli.core.errors import UsageError


@runtime_checkable
class Watching(Protocol):
    """A schedule that looks at the validation score now and then, and so has a state."""

    def watch(self, update: int, score: Callable[[], float]) -> None:
        """Told before every update; calls `score` (smaller is better) when it wants to know."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Constant:
    """The optimizer's own rate throughout."""

    def factor(self, update: int) -> float:
        return 1.0


class Step:
    """Multiply by `gamma` every `every` updates.

    Args:
        every: updates between two drops.
        gamma: what each drop multiplies with, in (0, 1].
    """

    def __init__(self, *, every: int, gamma: float) -> None:
        _check(every=every)
        self.every, self.gamma = every, _fraction("gamma", gamma)

    def factor(self, update: int) -> float:
        return self.gamma ** (update // self.every)


class Exponential:
    """Multiply by `gamma` over every `every` updates, a little in each of them, but never go below `floor`.

    Args:
        every: updates that it takes.
        gamma: what they multiply with, in (0, 1].
        floor: the smallest multiple, in [0, 1].
    """

    def __init__(self, *, every: int, gamma: float, floor: float) -> None:
        _check(every=every)
        if not 0 <= floor <= 1:
            raise UsageError(f"floor is in [0, 1], not {floor}")
        self.every, self.gamma, self.floor = every, _fraction("gamma", gamma), floor

    def factor(self, update: int) -> float:
        return max(self.floor, self.gamma ** (update / self.every))


class Cosine:
    """Rise linearly for `warmup` updates, then fall along half a cosine to `floor` at update `updates` and stay.

    Paper: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts.

    Args:
        updates: where the fall ends.
        warmup: updates of the linear rise.
        floor: the last multiple, in [0, 1].
    """

    def __init__(self, *, updates: int, warmup: int, floor: float) -> None:
        _check(updates=updates)
        if not 0 <= warmup < updates:
            raise UsageError(f"warmup is at least 0 and below updates ({updates}), not {warmup}")
        if not 0 <= floor <= 1:
            raise UsageError(f"floor is in [0, 1], not {floor}")
        self.updates, self.warmup, self.floor = updates, warmup, floor

    def factor(self, update: int) -> float:
        if update < self.warmup:
            return (update + 1) / self.warmup
        done = min(1.0, (update - self.warmup) / (self.updates - self.warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2


class WarmRestarts:
    """Fall along half a cosine to `floor`, start again at 1, every period `growth` times as long as the last.

    Paper: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5.

    Args:
        updates: of the first period.
        growth: at least 1.
        floor: the multiple at the end of a period, in [0, 1].
    """

    def __init__(self, *, updates: int, growth: int, floor: float) -> None:
        _check(updates=updates, growth=growth)
        if not 0 <= floor <= 1:
            raise UsageError(f"floor is in [0, 1], not {floor}")
        self.updates, self.growth, self.floor = updates, growth, floor

    def factor(self, update: int) -> float:
        length = self.updates
        while update >= length:
            update, length = (update % length if self.growth == 1 else update - length), length * self.growth
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * update / length)) / 2


class Plateau:
    """Multiply by `gamma` when the validation score is worse than all of its last `window` values.

    The rule of the TCN authors' music scripts. It asks for a score of its own every `every` updates, so that how often
    the run is scored changes nothing.

    Args:
        every: updates between two looks.
        window: how many earlier looks the newest must lose against.
        after: updates before the first drop.
        gamma: what each drop multiplies with, in (0, 1].
    """

    def __init__(self, *, every: int, window: int, after: int, gamma: float) -> None:
        _check(every=every, window=window)
        self.every, self.window, self.after = every, window, after
        self.gamma = _fraction("gamma", gamma)
        self._drops = 0
        self._scores: list[float] = []

    def watch(self, update: int, score: Callable[[], float]) -> None:
        if update == 0 or update % self.every:
            return
        new = score()
        if update >= self.after and len(self._scores) == self.window and new > max(self._scores):
            self._drops += 1
        self._scores = [*self._scores, new][-self.window :]

    def factor(self, update: int) -> float:
        return self.gamma**self._drops

    def state_dict(self) -> dict[str, Any]:
        return {"drops": self._drops, "scores": list(self._scores)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._drops, self._scores = state["drops"], list(state["scores"])


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UsageError(f"{name} of a schedule is at least 1, not {number}")


def _fraction(name: str, number: float) -> float:
    if not 0 < number <= 1:
        raise UsageError(f"{name} is in (0, 1], not {number}")
    return number
