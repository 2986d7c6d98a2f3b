"""Johnson-Lindenstrauss projections: dimension reduction that preserves norms and distances."""

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.rng import generator, hash_integers, integers
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.signs import signed_sums
from dlcli.sketching.streams.sketch import ItemQuery, Sketch, StreamEstimate, relative_interval

_BITS, _ROLE, _DELTA = 31, 0x4A4C, 0.01  # bits per word; substream of the seed; failure probability


class JL(Sketch):
    """Projection y = A f, entries of A +-1/sqrt(k), f the item counts or the sum of a stream of vectors.

    Paper: Achlioptas 2003, "Database-friendly random projections", theorem 1.1. Differs: A is not stored; an entry is
    a function of (seed, row, coordinate).

    Args:
        components: k, the dimension of y.
        seed: seed of A.
    """

    kind, linear, of_vectors = "jl", True, True

    def __init__(self, *, components: int, seed: int) -> None:
        super().__init__(components=components, seed=seed)
        self.y = torch.zeros(components, dtype=torch.float64)

    def _words(self, keys: Tensor) -> Tensor:
        count = math.ceil(len(self.y) / _BITS)
        return integers(keys, count, 1 << _BITS, self.settings["seed"], _ROLE).T

    def _update(self, chunk: Chunk) -> None:
        sums = signed_sums(*chunk.vector, self._words, used=_BITS, count=len(self.y))
        self.y += sums / math.sqrt(len(self.y))

    def _merge(self, other: Sketch) -> None:
        assert isinstance(other, JL)
        self.y += other.y

    def _subtract(self, other: Sketch) -> None:
        assert isinstance(other, JL)
        self.y -= other.y

    def estimates(self, asked: ItemQuery) -> list[StreamEstimate]:
        value, error = float(self.y.norm()), distortion(len(self.y), _DELTA)
        guarantee = f"within {error:.2%} with probability {1 - _DELTA:g}; {len(self.y):,} components, any dimension"
        return [StreamEstimate("L2", "", value, *relative_interval(value, error), guarantee)]

    def state(self) -> dict[str, np.ndarray]:
        return {"y": self.y.numpy()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        self.y.copy_(torch.from_numpy(state["y"]))


def distortion(components: int, delta: float) -> float:
    """Relative error e of a squared norm at failure probability delta: 2 exp(-k (e**2/4 - e**3/6)) = delta.

    The relative error of the norm is smaller. The bound is void from e = 1 on.

    Args:
        components: k.
        delta: failure probability.
    """
    target, low, high = math.log(2 / delta) / components, 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle**2 / 4 - middle**3 / 6 < target else (low, middle)
    return high


def project(
    x: Float[Tensor, "*batch feature"], components: int, seed: int, how: Literal["dense", "srht"] = "dense"
) -> Float[Tensor, "*batch component"]:
    """Project vectors by one random matrix that approximately preserves norms and inner products.

    Args:
        x: vectors of dimension d.
        components: k, the dimension of the projections.
        seed: seed of the matrix.
        how: "dense", random signs over sqrt(k); or "srht", the subsampled randomized Hadamard transform (Ailon &
            Chazelle 2006) in d log d operations: random signs, without which a row of H would be mapped to a single
            coordinate, then the transform, then `components` random coordinates.

    Raises:
        UsageError: "srht" with more components than the dimension, padded to a power of two.
    """
    features = x.shape[-1]
    draw = generator(hash_integers(seed, _ROLE), features)
    if how == "dense":
        signs = torch.randint(0, 2, (components, features), generator=draw).to(x) * 2 - 1
        return x @ signs.T / math.sqrt(components)
    size = 1 << max(features - 1, 0).bit_length()
    if components > size:
        raise UsageError("invalid_value", key="components", must=f"at most {size} (srht)", got=components)
    flipped = torch.nn.functional.pad(
        x * (torch.randint(0, 2, (features,), generator=draw).to(x) * 2 - 1), (0, size - features)
    )
    sample = torch.randperm(size, generator=draw)[:components].to(x.device)
    return _hadamard(flipped)[..., sample] / math.sqrt(components)


def _hadamard(x: Tensor) -> Tensor:
    """Unnormalized fast Walsh-Hadamard transform along the last axis."""
    shape, size, step = x.shape, x.shape[-1], 1
    while step < size:
        pairs = x.reshape(*shape[:-1], -1, 2, step)
        x = torch.stack((pairs[..., 0, :] + pairs[..., 1, :], pairs[..., 0, :] - pairs[..., 1, :]), -2).reshape(shape)
        step *= 2
    return x
