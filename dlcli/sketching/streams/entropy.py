"""Entropy of the item frequencies, estimated from a few thousand sampled positions of the stream."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from dlcli.core.errors import UsageError
from dlcli.core.rng import hash_integers
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.most_frequent import MostFrequent
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate

_COUNTERS = 4096  # Misra-Gries counters that find the most frequent item
_DEVIATIONS = 2.576  # normal quantile of a two-sided 99 % interval


@dataclass
class SampledPositions:
    """Positions of a stream sampled by min-wise random labels; arrays of shape [sample].

    Args:
        label: the position's random label in [0, 1), the smallest so far; 1 if no position is sampled.
        key: key of the item at the position.
        occurrences: occurrences of the item from the position on, including it.
    """

    label: np.ndarray
    key: np.ndarray
    occurrences: np.ndarray

    @classmethod
    def empty(cls, count: int) -> "SampledPositions":
        return cls(np.ones(count), np.full(count, -1, np.int64), np.zeros(count, np.int64))

    def where(self, condition: np.ndarray, other: "SampledPositions") -> "SampledPositions":
        """These positions where `condition`, those of `other` elsewhere, as in `np.where`."""
        return SampledPositions(
            *(np.where(condition, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        )


_ARRAYS = {"label": "label", "key": "key", "occurrences": "seen"}  # names of the fields in saved files


class Entropy(Sketch):
    """Mean of r ln(m/r) - (r-1) ln(m/(r-1)): stream length m, r occurrences of an item from a random position on.

    Paper: Chakrabarti, Cormode & McGregor 2010, "A near-optimal algorithm for estimating the entropy of a stream",
    section 2. A dominant item would be nearly every sample, so each sample has a second one among the other items
    (algorithm 1), and the most frequent item is counted separately: H = h(p) + (1 - p) H(others). Differs: the most
    frequent item is always separated, whatever its frequency; a mean in place of a median of means; the smallest label
    of a chunk is drawn directly.

    Two sketches cannot be merged, because the occurrences of a sampled item in the other stream are unknown.

    Args:
        samples: number of sampled positions.
        seed: seed of the labels.
    """

    kind = "entropy"

    def __init__(self, *, samples: int, seed: int) -> None:
        super().__init__(samples=samples, seed=seed)
        self._first, self._second = SampledPositions.empty(samples), SampledPositions.empty(samples)
        self._most_frequent = MostFrequent(_COUNTERS)

    def _update(self, chunk: Chunk) -> None:
        keys = np.sort(chunk.keys.numpy(), kind="stable")
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        ends = np.append(starts[1:], len(keys))
        self._most_frequent.add(keys[starts], (ends - starts).astype(np.float64))
        groups = Groups(keys, keys[starts], starts, ends)
        before = self.items - len(chunk)
        draw = np.random.Generator(np.random.Philox(key=hash_integers(self.settings["seed"], before)))
        first, second = groups.sample(draw.random((4, self.settings["samples"])))
        for old in (self._first, self._second):
            old.occurrences += groups.counts(old.key)
        self._combine(first, second)

    def _combine(self, first: SampledPositions, second: SampledPositions) -> None:
        """Select the smallest label of both, and the smallest one among positions of other items."""
        old, old_second = self._first, self._second
        same, stays = first.key == old.key, old.label < first.label
        new_others = second.where(same, first)  # positions of the chunk whose item is not the old one
        old_others = old_second.where(same, old)  # earlier positions whose item is not the new one
        loser, rest = new_others.where(stays, old_others), old_second.where(stays, second)
        self._first = old.where(stays, first)
        self._second = loser.where(loser.label < rest.label, rest)

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        if not self.items:
            return []
        key, count = self._most_frequent.top()
        count = min(count, float(self.items))
        rest, share = self.items - count, count / self.items
        others = self._second.where(self._first.key == key, self._first)
        x = _terms(others.occurrences[others.label < 1].astype(np.float64), rest)
        inner, error = (float(x.mean()), float(x.std()) / math.sqrt(len(x))) if rest and len(x) else (0.0, 0.0)
        value, error = max(_binary(share) + (1 - share) * inner, 0.0), (1 - share) * error
        guarantee = (
            f"nats ({value / math.log(2):.4g} bits); standard error {error:.2g} from {len(x):,} positions, the most "
            f"frequent item ({share:.1%}) counted exactly; off by more than {_DEVIATIONS} standard errors with "
            "probability 0.01"
        )
        slack = _DEVIATIONS * error + self._most_frequent.missing / self.items * math.log(self.items) + 1e-9
        return [StreamEstimate("entropy", "", value, max(value - slack, 0.0), value + slack, guarantee)]

    def _merge(self, other: Sketch) -> None:
        raise UsageError("unsupported", subject="entropy", feature="merging", hint="sketch both streams in one command")

    def state(self) -> dict[str, np.ndarray]:
        most_frequent = self._most_frequent
        state = {"most.keys": most_frequent.keys, "most.counts": most_frequent.counts}
        state["most.missing"] = np.array(most_frequent.missing)
        for name, positions in (("first", self._first), ("second", self._second)):
            state |= {f"{name}.{array}": getattr(positions, field) for field, array in _ARRAYS.items()}
        return state

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        most_frequent = self._most_frequent
        most_frequent.keys, most_frequent.counts = state["most.keys"], state["most.counts"]
        most_frequent.missing = float(state["most.missing"])
        self._first, self._second = (
            SampledPositions(*(state[f"{name}.{array}"].copy() for array in _ARRAYS.values()))
            for name in ("first", "second")
        )


@dataclass(frozen=True)
class Groups:
    """A chunk sorted by key; equal keys are in stream order.

    Args:
        keys: [item], sorted.
        distinct, starts, ends: [group], the key of each group and its range in `keys`.
    """

    keys: np.ndarray
    distinct: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def _group(self, key: np.ndarray) -> np.ndarray:
        return np.minimum(np.searchsorted(self.distinct, key), len(self.distinct) - 1)

    def counts(self, key: np.ndarray) -> np.ndarray:
        """Occurrences of keys in the chunk."""
        group = self._group(key)
        return np.where(self.distinct[group] == key, self.ends[group] - self.starts[group], 0)

    def sample(self, u: np.ndarray) -> tuple[SampledPositions, SampledPositions]:
        """Positions with the smallest label, and with the smallest label among the other items.

        The smallest of n uniform labels is distributed as 1 - (1-u)**(1/n), at a uniform position; given it, the other
        labels are uniform above it.

        Args:
            u: [4, sample], uniform in [0, 1).
        """
        size = len(self.keys)
        label = -np.expm1(np.log1p(-u[0]) / size)
        first = self._at((u[1] * size).astype(np.int64), label)
        group = self._group(first.key)
        start, own = self.starts[group], self.ends[group] - self.starts[group]
        others = size - own
        position = (u[3] * others).astype(np.int64)
        position += np.where(position >= start, own, 0)  # skip the group of the first position
        with np.errstate(divide="ignore"):
            label = label + (1 - label) * -np.expm1(np.log1p(-u[2]) / others)
        second = self._at(np.minimum(position, size - 1), label)
        return first, second.where(others > 0, SampledPositions.empty(len(label)))

    def _at(self, position: np.ndarray, label: np.ndarray) -> SampledPositions:
        key = self.keys[position]
        return SampledPositions(label, key, self.ends[self._group(key)] - position)


def _terms(r: np.ndarray, m: float) -> np.ndarray:
    """R ln(m/r) - (r-1) ln(m/(r-1)); ln m at r = 1."""
    before = r - 1
    return r * np.log(m / r) - before * np.log(m / np.maximum(before, 1))


def _binary(p: float) -> float:
    """Entropy of a Bernoulli(p) variable, in nats."""
    return -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)
