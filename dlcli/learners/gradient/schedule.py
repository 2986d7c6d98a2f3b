"""Learning-rate schedules: multiples of the optimizer's learning rate by update."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from dlcli.core.errors import UsageError


@runtime_checkable
class ScoreDependent(Protocol):
    """A schedule with state that depends on the validation score."""

    def watch(self, update: int, score: Callable[[], float]) -> None:
        """Called before every update; may evaluate `score` (lower is better)."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Constant:
    """Constant learning rate."""

    def factor(self, update: int) -> float:
        return 1.0


class Step:
    """Multiply by `gamma` every `every` updates.

    Args:
        every: updates between two decays.
        gamma: factor of each decay, in (0, 1].
    """

    def __init__(self, *, every: int, gamma: float) -> None:
        _check(every=every)
        self.every, self.gamma = every, _fraction("gamma", gamma)

    def factor(self, update: int) -> float:
        return self.gamma ** (update // self.every)


class Exponential:
    """Continuous exponential decay by `gamma` per `every` updates, down to `floor`.

    Args:
        every: number of updates of one decay by `gamma`.
        gamma: factor, in (0, 1].
        floor: minimum multiple of the learning rate, in [0, 1].
    """

    def __init__(self, *, every: int, gamma: float, floor: float) -> None:
        _check(every=every)
        self.every, self.gamma, self.floor = every, _fraction("gamma", gamma), _floor(floor)

    def factor(self, update: int) -> float:
        return max(self.floor, self.gamma ** (update / self.every))


class Cosine:
    """Linear warmup, then cosine annealing to `floor` at update `updates`, constant afterwards.

    Paper: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts.

    Args:
        updates: update at which annealing ends.
        warmup: number of updates of the warmup.
        floor: final multiple of the learning rate, in [0, 1].
    """

    def __init__(self, *, updates: int, warmup: int, floor: float) -> None:
        _check(updates=updates)
        if not 0 <= warmup < updates:
            must = f"at least 0 and below updates ({updates})"
            raise UsageError("invalid_value", key="schedule.warmup", must=must, got=warmup)
        self.updates, self.warmup, self.floor = updates, warmup, _floor(floor)

    def factor(self, update: int) -> float:
        if update < self.warmup:
            return (update + 1) / self.warmup
        done = min(1.0, (update - self.warmup) / (self.updates - self.warmup))
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2


class WarmRestarts:
    """Cosine annealing with warm restarts; each period is `growth` times as long as the previous one.

    Paper: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5.

    Args:
        updates: number of updates of the first period.
        growth: factor between the lengths of periods, at least 1.
        floor: multiple of the learning rate at the end of a period, in [0, 1].
    """

    def __init__(self, *, updates: int, growth: int, floor: float) -> None:
        _check(updates=updates, growth=growth)
        self.updates, self.growth, self.floor = updates, growth, _floor(floor)

    def factor(self, update: int) -> float:
        length = self.updates
        while update >= length:
            update, length = (update % length if self.growth == 1 else update - length), length * self.growth
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * update / length)) / 2


class Plateau:
    """Multiply by `gamma` when the validation score is worse than each of its last `window` values.

    The rule of the TCN authors' music scripts. The schedule evaluates the validation split itself every `every`
    updates, independently of the evaluation interval of the run.

    Args:
        every: updates between two evaluations.
        window: number of previous evaluations that must be better.
        after: updates before the first decay.
        gamma: factor of each decay, in (0, 1].
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
            raise UsageError("invalid_value", key=f"schedule.{name}", must="at least 1", got=number)


def _fraction(name: str, number: float) -> float:
    if not 0 < number <= 1:
        raise UsageError("invalid_value", key=f"schedule.{name}", must="in (0, 1]", got=number)
    return number


def _floor(number: float) -> float:
    if not 0 <= number <= 1:
        raise UsageError("invalid_value", key="schedule.floor", must="in [0, 1]", got=number)
    return number
