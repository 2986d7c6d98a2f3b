"""The base class of stream sketches: update, merge, subtract, estimate."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dlcli.core.errors import Mismatch, UsageError
from dlcli.sketching.streams.chunk import Chunk, Values


@dataclass(frozen=True)
class StreamEstimate:
    """An estimate with its interval and guarantee.

    Args:
        question: distinct, quantile, count, F2, L1, L2 or entropy.
        of: the item of a count, the rank in [0, 1] of a quantile, otherwise empty.
        value: the estimate, in the unit of the question.
        low, high: the interval to which the guarantee refers.
        guarantee: error bound and failure probability, as text.
    """

    question: str
    of: str
    value: float
    low: float
    high: float
    guarantee: str


@dataclass(frozen=True)
class ItemQuery:
    """The items whose counts are estimated.

    Args:
        items: item names, as text.
        top: number of most frequent items to report.
    """

    items: Sequence[str] = ()
    top: int = 10


class Sketch(ABC):
    """A summary of a stream whose size is independent of the stream's length.

    Args:
        settings: sizes and seed; two sketches can be merged only if all of them are equal.
    """

    kind: ClassVar[str]
    linear: ClassVar[bool] = False
    numeric: ClassVar[bool] = False
    """True if the sketch requires numbers."""
    of_vectors: ClassVar[bool] = False
    """True if the sketch of a stream of vectors is that of their sum."""

    def __init__(self, **settings: int) -> None:
        for name, value in settings.items():
            least = 0 if name == "seed" else 1
            if value < least:
                raise UsageError("invalid_value", key=name, must=f"at least {least}", got=value)
        self.settings = settings
        self.items = 0
        self.values: Values | None = None

    def update(self, chunk: Chunk) -> None:
        """Add a chunk of the stream.

        Raises:
            UsageError: the chunk consists of words and the sketch requires numbers.
            Mismatch: the type of the items differs from that of earlier chunks.
        """
        if not len(chunk):
            return
        if self.numeric and chunk.kind == "words":
            hint = "--as floats (or integers) parses the items as numbers"
            raise UsageError("requires", key=self.kind, requirement="numbers", hint=hint)
        vectors = self.of_vectors and chunk.total is not None
        values: Values = "vectors" if vectors else chunk.kind
        self._check_values(values)
        self.values = values
        self.items += chunk.vectors if vectors else len(chunk)
        self._update(chunk)

    def merge(self, other: "Sketch") -> None:
        """Merge another sketch in place, as if its stream had followed this one.

        Raises:
            Mismatch: kind, sizes, seed or item type differ.
            UsageError: sketches of this kind cannot be merged.
        """
        self._check_compatible(other)
        self._merge(other)
        self.items, self.values = self.items + other.items, self.values or other.values

    def subtract(self, other: "Sketch") -> None:
        """Subtract another sketch in place: the result is the sketch of the difference of the counts.

        Raises:
            Mismatch: kind, sizes, seed or item type differ.
            UsageError: the sketch is not linear.
        """
        self._check_compatible(other)
        if not self.linear:
            hint = "linear kinds: countsketch, fastams, ams, jl, norms"
            raise UsageError("unsupported", subject=self.kind, feature="subtraction", hint=hint)
        self._subtract(other)
        self.items, self.values = self.items - other.items, self.values or other.values

    @abstractmethod
    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        """Estimates with their guarantees."""

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """The complete state as plain arrays, the input of `load`."""

    @abstractmethod
    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state."""

    @abstractmethod
    def _update(self, chunk: Chunk) -> None: ...

    @abstractmethod
    def _merge(self, other: "Sketch") -> None: ...

    def _subtract(self, other: "Sketch") -> None:
        raise NotImplementedError(self.kind)

    def about(self) -> dict[str, str | int | None]:
        """Kind, sizes, seed of the hash functions, item type and number of items."""
        return {"kind": self.kind, **self.settings, "values": self.values, "items": self.items}

    def _check_compatible(self, other: "Sketch") -> None:
        if other.kind != self.kind:
            raise Mismatch("mismatch", subject=self.kind, requirement=f"a {self.kind} sketch", got=other.kind)
        for name, value in self.settings.items():
            if other.settings[name] != value:
                raise Mismatch(
                    "mismatch", subject=self.kind, requirement=f"sketches with equal {name} ({value})",
                    got=other.settings[name], hint="sketches can be combined only if all sizes and the seed are equal",
                )  # fmt: skip
        if other.values is not None:
            self._check_values(other.values)

    def _check_values(self, values: Values) -> None:
        if self.values is not None and values != self.values:
            hint = "--as words, integers or floats sets the item type of a text stream"
            raise Mismatch("mismatch", subject=self.kind, requirement=self.values, got=values, hint=hint)


def median_failure_probability(rows: int, p: float) -> float:
    """Probability that at least half of `rows` independent estimates fail, each with probability `p`.

    It bounds the failure probability of their median.
    """
    from scipy.stats import binom

    return float(binom.sf((rows + 1) // 2 - 1, rows, p))


def relative_interval(value: float, error: float) -> tuple[float, float]:
    """Interval of a positive quantity, given an estimate with a relative error of at most `error`."""
    return value / (1 + error), value / (1 - error) if error < 1 else float("inf")
