"""Numeric and categorical keys to search over, as plain values: `{key: lr, low: 1e-4, high: 1e-2, log: true}`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator

from dlcli.core.errors import UsageError

_FLOATS = ("low", "high", "step")
_DIGITS = 6  # significant digits, so that overrides stay readable


@dataclass(frozen=True)
class NumericRange:
    """Uniform distribution of numbers from `low` to `high`, both included.

    Args:
        key: configuration key.
        low: lower bound.
        high: upper bound.
        log: uniform in the logarithm.
        whole: integers only.
        step: distance of the values; None: continuous.
    """

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None

    def draw(self, generator: Generator) -> str:
        fraction = float(torch.rand((), generator=generator, dtype=torch.float64))
        if self.step is not None:
            count = 1 + round((self.high - self.low) / self.step)
            return self.word(self.low + self.step * min(count - 1, int(fraction * count)))
        if self.whole and not self.log:
            return self.word(self.low + min(self.high - self.low, int(fraction * (self.high - self.low + 1))))
        if self.log:
            return self.word(math.exp(math.log(self.low) + fraction * math.log(self.high / self.low)))
        return self.word(self.low + fraction * (self.high - self.low))

    def word(self, value: float) -> str:
        """Override that sets a value."""
        clipped = min(self.high, max(self.low, float(f"{value:.{_DIGITS}g}")))
        return f"{self.key}={round(clipped) if self.whole else clipped!r}"

    @property
    def samples(self) -> tuple[str, ...]:
        """Overrides with which to check that the key accepts the values."""
        return self.word(self.low), self.word(self.high)


@dataclass(frozen=True)
class Choices:
    """Uniform distribution over values, as written in overrides."""

    key: str
    choices: tuple[str, ...]

    def draw(self, generator: Generator) -> str:
        return self.word(self.choices[int(torch.randint(len(self.choices), (), generator=generator))])

    def word(self, value: str) -> str:
        return f"{self.key}={value}"

    @property
    def samples(self) -> tuple[str, ...]:
        return tuple(self.word(value) for value in self.choices)


Distribution = NumericRange | Choices


def distributions(over: Sequence[Mapping[str, Any]]) -> list[Distribution]:
    """Distributions from the entries of `over` in a configuration.

    Raises:
        UsageError: an entry is incomplete, or has fewer than two values.
    """
    return [_distribution(entry) for entry in over]


def _distribution(entry: Mapping[str, Any]) -> Distribution:
    fields = {name: value for name, value in entry.items() if value is not None}
    try:
        if "choices" in fields:
            distribution: Distribution = Choices(fields["key"], tuple(map(str, fields["choices"])))
        else:
            numbers: dict[str, Any] = {
                name: float(fields[name]) if name in _FLOATS else fields[name] for name in fields
            }
            distribution = NumericRange(**numbers)
    except (KeyError, TypeError, ValueError):
        raise UsageError("invalid_value", key="over", must="{key, low, high} or {key, choices}", got=fields) from None
    key = f"over {distribution.key}"
    if isinstance(distribution, Choices):
        if len(distribution.choices) < 2:
            raise UsageError("invalid_value", key=key, must="at least two values", got=list(distribution.choices))
        return distribution
    if not distribution.low < distribution.high:
        got = f"{distribution.low:g} to {distribution.high:g}"
        raise UsageError("invalid_value", key=key, must="an interval with low below high", got=got)
    if distribution.log and distribution.low <= 0:
        must = "above 0 on a logarithmic scale"
        raise UsageError("invalid_value", key=key, must=must, got=distribution.low)
    return distribution
