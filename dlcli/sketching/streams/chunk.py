"""A chunk of a stream, with item keys and the counts of distinct items shared by several sketches."""

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
_SPAN = 4  # integers whose range is at most this multiple of the chunk length are counted by bincount
_BLOCK = 1 << 14  # integers encoded at a time, so that temporaries stay in the cache
_FIRST, _SECOND = 0xBF58476D1CE4E5B9 - (1 << 64), 0x94D049BB133111EB - (1 << 64)  # constants of splitmix64


@dataclass(frozen=True)
class ItemCounts:
    """Distinct items with their keys and counts (float64)."""

    values: np.ndarray
    keys: Int64[Tensor, " distinct"]
    weights: Tensor


@dataclass(frozen=True)
class Chunk:
    """Consecutive items of a stream.

    Args:
        values: [item]; int64, float64 without NaN, or an object array of str.
        total: [feature], the sum of the vectors of a stream of vectors; None for any other stream, whose vector is
            that of the item counts.
    """

    values: np.ndarray
    total: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def vectors(self) -> int:
        """Number of vectors; 0 for a stream of scalars."""
        return 0 if self.total is None else len(self) // len(self.total)

    @property
    def kind(self) -> Values:
        return {"i": "integers", "f": "numbers"}.get(self.values.dtype.kind, "words")  # type: ignore[return-value]

    @cached_property
    def item_counts(self) -> ItemCounts:
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
        return ItemCounts(distinct, item_keys(distinct), torch.from_numpy(counts.astype(np.float64)))

    @cached_property
    def keys(self) -> Int64[Tensor, " item"]:
        """Key of each item, in stream order."""
        if self.kind != "words":
            return item_keys(self.values)
        codes, distinct = self._factorized
        return item_keys(distinct)[torch.from_numpy(codes)]

    @cached_property
    def weighted(self) -> tuple[Int64[Tensor, " item"], Tensor | None]:
        """Keys and weights by the cheaper route: all items (weights None, 1 each), or distinct items with counts."""
        if self.kind == "numbers" or (self.kind == "integers" and not self.narrow):
            return self.keys, None
        return self.item_counts.keys, self.item_counts.weights

    @cached_property
    def vector(self) -> tuple[Int64[Tensor, " coordinate"], Tensor]:
        """Coordinates and increments of the stream's vector."""
        if self.total is None:
            return self.item_counts.keys, self.item_counts.weights
        return item_keys(np.arange(len(self.total))), torch.from_numpy(self.total.astype(np.float64))

    @cached_property
    def narrow(self) -> bool:
        """True if the range of the integers is small enough to count them without sorting."""
        return int(self.values.max()) - int(self.values.min()) < max(_SPAN * len(self.values), 1 << 16)

    @cached_property
    def _factorized(self) -> tuple[np.ndarray, np.ndarray]:
        codes, distinct = pd.factorize(self.values)
        return codes, np.asarray(distinct, dtype=object)


def item_keys(values: np.ndarray) -> Int64[Tensor, " item"]:
    """Map items to elements of the field GF(2**61 - 1), identically on every machine.

    Integers of magnitude below 2**60 are mapped injectively; floats and words by a stable 64-bit hash, so that two
    distinct items collide with probability about 2**-61.
    """
    if values.dtype.kind == "i":
        return torch.from_numpy(_integer_keys(np.ascontiguousarray(values, dtype=np.int64)))
    if values.dtype.kind == "f":
        bits = np.ascontiguousarray(values + 0.0, dtype=np.float64).view(np.int64)  # -0.0 becomes 0.0
        return _reduce(_splitmix64(torch.from_numpy(bits)))
    digests = b"".join(
        hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest() for word in values
    )
    return _reduce(torch.from_numpy(np.frombuffer(digests, dtype="<i8").astype(np.int64)))


def _integer_keys(values: np.ndarray) -> np.ndarray:
    """Zigzag encoding (0, -1, 1, -2 ... become 0, 1, 2, 3 ...), block by block."""
    keys = np.empty_like(values)
    for start in range(0, len(values), _BLOCK):
        value, key = values[start : start + _BLOCK], keys[start : start + _BLOCK]
        bits = np.left_shift(value, 1) ^ np.right_shift(value, 63)
        np.bitwise_and(bits, (1 << BITS) - 1, out=key)
        key += np.bitwise_and(np.right_shift(bits, BITS, out=bits), 7, out=bits)
    return keys


def parse_item(name: str, kind: Values) -> np.ndarray:
    """[1]: an item given on the command line, as a value of the stream's type.

    Raises:
        UsageError: the text is not a number and the stream consists of numbers.
    """
    try:
        if kind == "integers":
            return np.array([int(name)], dtype=np.int64)
        if kind == "numbers":
            return np.array([float(name)])
    except (ValueError, OverflowError) as error:
        must = "an integer" if kind == "integers" else "a number"
        hint = f"the items of this stream are {kind}"
        raise UsageError("invalid_value", key="--item", must=must, got=name, hint=hint) from error
    return np.array([name], dtype=object)


def format_item(value: Any) -> str:
    """Text of an item; of a float its shortest exact decimal form."""
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def _reduce(bits: Tensor) -> Tensor:
    """64-bit words modulo 2**61 - 1 (not fully reduced)."""
    return (bits >> BITS).bitwise_and_(7).add_(bits & ((1 << BITS) - 1))


def _splitmix64(state: Tensor) -> Tensor:
    """Finalizer of splitmix64 (Steele, Lea & Flood 2014).

    It is a bijection in which every output bit depends on every input bit.
    """
    state = (state ^ ((state >> 30) & ((1 << 34) - 1))) * _FIRST
    state = (state ^ ((state >> 27) & ((1 << 37) - 1))) * _SECOND
    return state ^ ((state >> 31) & ((1 << 33) - 1))
