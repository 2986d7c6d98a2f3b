"""The entropy of how often items come, from a few thousand places of the stream."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from dlcli.core.errors import UsageError
from dlcli.core.rng import mix
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.most_frequent import MostFrequent
from dlcli.sketching.streams.sketch import Asked, Estimate, Sketch

_COUNTERS = 4096  # of the most frequent item
_DEVIATIONS = 2.576  # of a normal distribution, which leave 1 % outside


@dataclass
class Places:
    """[sample] places of a stream: each the one with the least of random labels.

    Args:
        label: in [0, 1); 1 where there is no place.
        key: the item.
        seen: how often it came from there on, this place included.
    """

    label: np.ndarray
    key: np.ndarray
    seen: np.ndarray

    @classmethod
    def none(cls, count: int) -> "Places":
        return cls(np.ones(count), np.full(count, -1, np.int64), np.zeros(count, np.int64))

    def where(self, mine: np.ndarray, other: "Places") -> "Places":
        """These where `mine`, those of the other elsewhere."""
        return Places(*(np.where(mine, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))


class Entropy(Sketch):
    """The mean of r ln(m/r) - (r-1) ln(m/(r-1)): m the length, r how often a random place's item comes from there on.

    Paper: Chakrabarti, Cormode & McGregor 2010, "A near-optimal algorithm for estimating the entropy of a stream",
    section 2. One item that makes up most of the stream would be nearly every sample and hide the rest, so each
    sample has a second one among the other items (algorithm 1), and the most frequent item is counted by itself:
    H = h(p) + (1 - p) H(of the others). Differs: the most frequent item is always taken out, whatever its share;
    a mean in place of a median of means; labels of a whole chunk are drawn by their least value.

    Two of them cannot be merged: what a place of one stream came to in the other was not counted.

    Args:
        samples: places.
        seed: of the labels.
    """

    kind = "entropy"

    def __init__(self, *, samples: int, seed: int) -> None:
        super().__init__(samples=samples, seed=seed)
        self._first, self._second = Places.none(samples), Places.none(samples)
        self._most = MostFrequent(_COUNTERS)

    def _update(self, chunk: Chunk) -> None:
        keys = np.sort(chunk.keys.numpy(), kind="stable")
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        ends = np.append(starts[1:], len(keys))
        self._most.add(keys[starts], (ends - starts).astype(np.float64))
        groups = Groups(keys, keys[starts], starts, ends)
        before = self.items - len(chunk)
        draw = np.random.Generator(np.random.Philox(key=mix(self.settings["seed"], before)))
        first, second = groups.sample(draw.random((4, self.settings["samples"])))
        for old in (self._first, self._second):
            old.seen += groups.counts(old.key)
        self._put_together(first, second)

    def _put_together(self, first: Places, second: Places) -> None:
        """The least label of both, and the least one among the items that differ from that one's."""
        old, spare = self._first, self._second
        same, stays = first.key == old.key, old.label < first.label
        others = second.where(same, first)  # of the chunk, those that are not the old item
        kept = spare.where(same, old)  # of the past, those that are not the new item
        loser, rest = others.where(stays, kept), spare.where(stays, second)
        self._first = old.where(stays, first)
        self._second = loser.where(loser.label < rest.label, rest)

    def estimates(self, asked: Asked) -> list[Estimate]:
        if not self.items:
            return []
        key, count = self._most.top()
        count = min(count, float(self.items))
        rest, share = self.items - count, count / self.items
        chosen = self._second.where(self._first.key == key, self._first)
        x = _terms(chosen.seen[chosen.label < 1].astype(np.float64), rest)
        inner, error = (float(x.mean()), float(x.std()) / math.sqrt(len(x))) if rest and len(x) else (0.0, 0.0)
        value, error = max(_binary(share) + (1 - share) * inner, 0.0), (1 - share) * error
        guarantee = (
            f"nats ({value / math.log(2):.4g} bits); standard error {error:.2g} from {len(x):,} places, the most "
            f"frequent item ({share:.1%}) counted by itself; beyond {_DEVIATIONS} of them with a chance of about 0.01"
        )
        slack = _DEVIATIONS * error + self._most.missing / self.items * math.log(self.items) + 1e-9
        return [Estimate("entropy", "", value, max(value - slack, 0.0), value + slack, guarantee)]

    def _merge(self, other: Sketch) -> None:
        raise UsageError("entropy sketches do not merge: how often a place's item came in the other stream is unknown")

    def state(self) -> dict[str, np.ndarray]:
        state = {"most.keys": self._most.keys, "most.counts": self._most.counts}
        state["most.missing"] = np.array(self._most.missing)
        for name, places in (("first", self._first), ("second", self._second)):
            state |= {f"{name}.{field.name}": getattr(places, field.name) for field in fields(places)}
        return state

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self._most.keys, self._most.counts = state["most.keys"], state["most.counts"]
        self._most.missing = float(state["most.missing"])
        self._first, self._second = (
            Places(*(state[f"{name}.{field.name}"].copy() for field in fields(Places))) for name in ("first", "second")
        )


@dataclass(frozen=True)
class Groups:
    """A chunk sorted by key, equal ones in the order of the stream.

    Args:
        keys: [item] sorted.
        distinct, starts, ends: [group] the key, and where the group lies.
    """

    keys: np.ndarray
    distinct: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    def _group(self, key: np.ndarray) -> np.ndarray:
        return np.minimum(np.searchsorted(self.distinct, key), len(self.distinct) - 1)

    def counts(self, key: np.ndarray) -> np.ndarray:
        """How often keys came in the chunk."""
        group = self._group(key)
        return np.where(self.distinct[group] == key, self.ends[group] - self.starts[group], 0)

    def sample(self, u: np.ndarray) -> tuple[Places, Places]:
        """The place of the least label, and of the least one among the other items; u [4, sample] is uniform.

        The least of n labels is 1 - (1-u)**(1/n), and lies anywhere; given it, the other labels are uniform above it.
        """
        size = len(self.keys)
        label = -np.expm1(np.log1p(-u[0]) / size)
        first = self._at((u[1] * size).astype(np.int64), label)
        group = self._group(first.key)
        start, own = self.starts[group], self.ends[group] - self.starts[group]
        others = size - own
        place = (u[3] * others).astype(np.int64)
        place += np.where(place >= start, own, 0)
        with np.errstate(divide="ignore"):
            label = label + (1 - label) * -np.expm1(np.log1p(-u[2]) / others)
        second = self._at(np.minimum(place, size - 1), label)
        return first, second.where(others > 0, Places.none(len(label)))

    def _at(self, place: np.ndarray, label: np.ndarray) -> Places:
        key = self.keys[place]
        return Places(label, key, self.ends[self._group(key)] - place)


def _terms(r: np.ndarray, m: float) -> np.ndarray:
    """r ln(m/r) - (r-1) ln(m/(r-1)); ln m at r = 1."""
    before = r - 1
    return r * np.log(m / r) - before * np.log(m / np.maximum(before, 1))


def _binary(p: float) -> float:
    """Entropy of a coin, in nats."""
    return -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)
