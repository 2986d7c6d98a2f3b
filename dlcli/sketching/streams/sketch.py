"""What every sketch of a stream can do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dlcli.core.errors import Mismatch, UsageError
from dlcli.sketching.streams.chunk import Chunk, Values


@dataclass(frozen=True)
class Estimate:
    """An answer, and what is promised of it.

    Args:
        question: distinct, quantile, count, F2, L1, L2 or entropy.
        of: the item, or the share below the quantile; empty for what has none.
        low, high: where the truth lies, as the guarantee says.
        guarantee: in words, with numbers.
    """

    question: str
    of: str
    value: float
    low: float
    high: float
    guarantee: str


@dataclass(frozen=True)
class Asked:
    """What to answer.

    Args:
        items: whose counts, as a user writes them.
        top: how many of the most frequent items.
    """

    items: Sequence[str] = ()
    top: int = 10


class Sketch(ABC):
    """A summary whose size does not depend on the length of the stream.

    Args:
        settings: sizes and seed: what two sketches must share to be put together.
    """

    kind: ClassVar[str]
    linear: ClassVar[bool] = False
    numeric: ClassVar[bool] = False
    """Whether it needs numbers, not words."""
    of_vectors: ClassVar[bool] = False
    """Whether it sketches the sum, where the stream is one of vectors."""

    def __init__(self, **settings: int) -> None:
        for name, value in settings.items():
            if value < (0 if name == "seed" else 1):
                raise UsageError(f"{self.kind}: {name} is {value}, and must be at least {0 if name == 'seed' else 1}")
        self.settings = settings
        self.items = 0
        self.values: Values | None = None

    def update(self, chunk: Chunk) -> None:
        """Take in a piece of the stream.

        Raises:
            UsageError: words, where numbers are needed.
            Mismatch: other values than before.
        """
        if not len(chunk):
            return
        if self.numeric and chunk.kind == "words":
            raise UsageError(f"{self.kind} sketches numbers, and these are words")
        vectors = self.of_vectors and chunk.total is not None
        values: Values = "vectors" if vectors else chunk.kind
        self._same_values(values)
        self.values = values
        self.items += chunk.vectors if vectors else len(chunk)
        self._update(chunk)

    def merge(self, other: "Sketch") -> None:
        """Become the sketch of both streams, one after the other.

        Raises:
            Mismatch: the other one has another kind, size, seed, or other values.
            UsageError: sketches of this kind cannot be merged.
        """
        self._fits(other)
        self._merge(other)
        self.items, self.values = self.items + other.items, self.values or other.values

    def subtract(self, other: "Sketch") -> None:
        """Become the sketch of the difference: counts of this stream less those of the other.

        Raises:
            Mismatch, UsageError: as `merge`; only linear sketches can be subtracted.
        """
        self._fits(other)
        if not self.linear:
            raise UsageError(f"{self.kind} is not linear: it cannot be subtracted (countsketch, ams, jl, norms can)")
        self._subtract(other)
        self.items, self.values = self.items - other.items, self.values or other.values

    @abstractmethod
    def estimates(self, asked: Asked) -> list[Estimate]:
        """What the sketch knows, with its guarantee."""

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """All that `load` needs, as plain arrays."""

    @abstractmethod
    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""

    @abstractmethod
    def _update(self, chunk: Chunk) -> None: ...

    @abstractmethod
    def _merge(self, other: "Sketch") -> None: ...

    def _subtract(self, other: "Sketch") -> None:
        raise NotImplementedError(self.kind)

    def about(self) -> dict[str, str | int | None]:
        """What identifies it: kind, sizes, seed of its hash functions, what values it has seen and how many."""
        return {"kind": self.kind, **self.settings, "values": self.values, "items": self.items}

    def _fits(self, other: "Sketch") -> None:
        if other.kind != self.kind:
            raise Mismatch(f"a {other.kind} sketch cannot be put together with a {self.kind} sketch")
        for name, value in self.settings.items():
            if other.settings[name] != value:
                raise Mismatch(
                    f"{self.kind}: one sketch has {name} {value}, the other {other.settings[name]}; only equal ones "
                    "can be put together"
                )
        if other.values is not None:
            self._same_values(other.values)

    def _same_values(self, values: Values) -> None:
        if self.values is not None and values != self.values:
            raise Mismatch(f"{self.kind}: {values} cannot be added to a sketch of {self.values}")


def tail(rows: int, chance: float) -> float:
    """How likely it is that half of `rows` independent answers or more are wrong, each with a chance: of a median."""
    from scipy.stats import binom

    return float(binom.sf((rows + 1) // 2 - 1, rows, chance))


def around(value: float, share: float) -> tuple[float, float]:
    """Where a positive truth lies when the estimate is within a share of the truth."""
    return value / (1 + share), value / (1 - share) if share < 1 else float("inf")
