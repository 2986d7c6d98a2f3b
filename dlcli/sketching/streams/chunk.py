"""A piece of a stream, and what several sketches ask of it: keys, and distinct items with their counts."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int64
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.hashing import BITS

Values = Literal["integers", "numbers", "words", "vectors"]
_SPAN = 4  # whole numbers within so many times the length of a chunk are counted without sorting
_PIECE = 1 << 14
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - (1 << 64), 0x94D049BB133111EB - (1 << 64)


@dataclass(frozen=True)
class Counted:
    """Distinct values, their keys and weights (float64, what they count for)."""

    values: np.ndarray
    keys: Int64[Tensor, " distinct"]
    weights: Tensor


@dataclass(frozen=True)
class Chunk:
    """Items in their order.

    Args:
        values: [item]; int64, float64 without NaN, or an object array of str.
        total: [feature] where the stream is one of vectors: their sum. The vector of any other stream is its counts.
    """

    values: np.ndarray
    total: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def vectors(self) -> int:
        """How many vectors the items are of, where they are of any."""
        return 0 if self.total is None else len(self) // len(self.total)

    @property
    def kind(self) -> Values:
        return {"i": "integers", "f": "numbers"}.get(self.values.dtype.kind, "words")  # type: ignore[return-value]

    @cached_property
    def counted(self) -> Counted:
        if self.kind == "words":
            codes, distinct = self._factorized
            counts = np.bincount(codes, minlength=len(distinct))
        elif self.kind == "integers" and self.narrow:
            low = self.values.min()
            counts = np.bincount(self.values - low)
            distinct = np.flatnonzero(counts)
            counts, distinct = counts[distinct], distinct + low
        else:
            distinct, counts = np.unique(self.values, return_counts=True)
        return Counted(distinct, keys_of(distinct), torch.from_numpy(counts.astype(np.float64)))

    @cached_property
    def keys(self) -> Int64[Tensor, " item"]:
        """One a item."""
        if self.kind != "words":
            return keys_of(self.values)
        codes, distinct = self._factorized
        return keys_of(distinct)[torch.from_numpy(codes)]

    @cached_property
    def weighted(self) -> tuple[Int64[Tensor, " item"], Tensor | None]:
        """Keys and what they count for, the cheaper way: None is 1 each."""
        if self.kind == "numbers" or (self.kind == "integers" and not self.narrow):
            return self.keys, None
        return self.counted.keys, self.counted.weights

    @cached_property
    def vector(self) -> tuple[Int64[Tensor, " coordinate"], Tensor]:
        """Coordinates, and what is added to them."""
        if self.total is None:
            return self.counted.keys, self.counted.weights
        return keys_of(np.arange(len(self.total))), torch.from_numpy(self.total.astype(np.float64))

    @cached_property
    def narrow(self) -> bool:
        """Whether whole numbers lie so near to one another that counting needs no sorting."""
        return int(self.values.max()) - int(self.values.min()) < max(_SPAN * len(self.values), 1 << 16)

    @cached_property
    def _factorized(self) -> tuple[np.ndarray, np.ndarray]:
        codes, distinct = pd.factorize(self.values)
        return codes, np.asarray(distinct, dtype=object)


def keys_of(values: np.ndarray) -> Int64[Tensor, " item"]:
    """Elements of the field that polynomials hash, the same on every machine.

    Whole numbers below 2**60 in size have each their own; other numbers and words have one of 2**61 by a stable hash
    of their bits, so that a pair is taken for one with probability 2**-61 or so.
    """
    if values.dtype.kind == "i":
        return torch.from_numpy(_whole(np.ascontiguousarray(values, dtype=np.int64)))
    if values.dtype.kind == "f":
        bits = np.ascontiguousarray(values + 0.0, dtype=np.float64).view(np.int64)  # -0.0 is 0.0
        return _into_field(_mixed(torch.from_numpy(bits)))
    digests = b"".join(
        hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest() for word in values
    )
    return _into_field(torch.from_numpy(np.frombuffer(digests, dtype="<i8").astype(np.int64)))


def _whole(values: np.ndarray) -> np.ndarray:
    """0, -1, 1, -2 ... are 0, 1, 2, 3 ...; piece by piece, in the cache."""
    keys = np.empty_like(values)
    for start in range(0, len(values), _PIECE):
        value, key = values[start : start + _PIECE], keys[start : start + _PIECE]
        bits = np.left_shift(value, 1) ^ np.right_shift(value, 63)
        np.bitwise_and(bits, (1 << BITS) - 1, out=key)
        key += np.bitwise_and(np.right_shift(bits, BITS, out=bits), 7, out=bits)
    return keys


def value_of(name: str, kind: Values) -> np.ndarray:
    """[1]: what a user wrote, as an item of a stream.

    Raises:
        UsageError: it is no number and the stream is one of numbers.
    """
    try:
        if kind == "integers":
            return np.array([int(name)], dtype=np.int64)
        if kind == "numbers":
            return np.array([float(name)])
    except (ValueError, OverflowError) as error:
        wanted = "whole numbers" if kind == "integers" else "numbers"
        raise UsageError(f"--item {name}: the stream is one of {wanted}") from error
    return np.array([name], dtype=object)


def name_of(value: Any) -> str:
    """An item as it is shown; of a number its shortest form."""
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def _into_field(bits: Tensor) -> Tensor:
    return (bits >> BITS).bitwise_and_(7).add_(bits & ((1 << BITS) - 1))


def _mixed(state: Tensor) -> Tensor:
    """The end of splitmix64 (Steele, Lea & Flood 2014): one to one, and every bit depends on every bit."""
    state = (state ^ ((state >> 30) & ((1 << 34) - 1))) * _FIRST
    state = (state ^ ((state >> 27) & ((1 << 37) - 1))) * _SECOND
    return state ^ ((state >> 31) & ((1 << 33) - 1))
