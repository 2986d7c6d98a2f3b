"""Numeric and categorical keys to search over, as plain values: `{key: lr, low: 1e-4, high: 1e-2, log: true}`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator

from dlcli.core.errors import UsageError

_FLOATS = ("low", "high", "step")
_DIGITS = 6  # of a number, so that words stay readable


@dataclass(frozen=True)
class Numbers:
    """Numbers from `low` to `high`, both included.

    Args:
        log: spread evenly over the logarithm.
        whole: whole numbers alone.
        step: between two values; None is any value.
    """

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None

    def draw(self, generator: Generator) -> str:
        part = float(torch.rand((), generator=generator, dtype=torch.float64))
        if self.step is not None:
            count = 1 + round((self.high - self.low) / self.step)
            return self.word(self.low + self.step * min(count - 1, int(part * count)))
        if self.whole and not self.log:
            return self.word(self.low + min(self.high - self.low, int(part * (self.high - self.low + 1))))
        if self.log:
            return self.word(math.exp(math.log(self.low) + part * math.log(self.high / self.low)))
        return self.word(self.low + part * (self.high - self.low))

    def word(self, value: float) -> str:
        """The override that takes a value."""
        inside = min(self.high, max(self.low, float(f"{value:.{_DIGITS}g}")))
        return f"{self.key}={round(inside) if self.whole else inside!r}"

    @property
    def samples(self) -> tuple[str, ...]:
        """Overrides that show whether the key takes such values."""
        return self.word(self.low), self.word(self.high)


@dataclass(frozen=True)
class Choices:
    """One of some values, as they are written in overrides."""

    key: str
    choices: tuple[str, ...]

    def draw(self, generator: Generator) -> str:
        return self.word(self.choices[int(torch.randint(len(self.choices), (), generator=generator))])

    def word(self, value: str) -> str:
        return f"{self.key}={value}"

    @property
    def samples(self) -> tuple[str, ...]:
        return tuple(self.word(value) for value in self.choices)


Distribution = Numbers | Choices


def distributions(over: Sequence[Mapping[str, Any]]) -> list[Distribution]:
    """What a configuration's `over` lists.

    Raises:
        UsageError: an entry is incomplete, or leaves nothing to choose.
    """
    return [_distribution(one) for one in over]


def _distribution(entry: Mapping[str, Any]) -> Distribution:
    one = {name: value for name, value in entry.items() if value is not None}
    try:
        if "choices" in one:
            found: Distribution = Choices(one["key"], tuple(map(str, one["choices"])))
        else:
            plain: dict[str, Any] = {name: float(one[name]) if name in _FLOATS else one[name] for name in one}
            found = Numbers(**plain)
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"over: {dict(one)} is neither {{key, low, high}} nor {{key, choices}}") from None
    if isinstance(found, Choices):
        if len(found.choices) < 2:
            raise UsageError(f"over {found.key}: a single value leaves nothing to search")
        return found
    if not found.low < found.high:
        raise UsageError(f"over {found.key}: {found.low:g} to {found.high:g} leaves nothing to search")
    if found.log and found.low <= 0:
        raise UsageError(f"over {found.key}: a logarithmic scale begins above 0, not at {found.low:g}")
    return found
