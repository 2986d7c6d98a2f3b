"""Random matrices of sketches: structured and dense."""

from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Operator(Protocol):
    """A random d x d matrix R that is approximately isometric: ⟨Rx, Ry⟩ ≈ ⟨x, y⟩."""

    def apply(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dimension"]:
        """R x, with x zero-padded to d."""

    def adjoint(self, y: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch dimension"]:
        """Rᵀ y, with y zero-padded to d."""


class Hadamard:
    """D₁ H D₂ H D₃, with H the normalized Walsh-Hadamard matrix and D random signs: a rotation in O(d) memory.

    Ailon & Chazelle 2009 for one round of signs and H; the second round is needed for vectors with one non-zero entry.

    Args:
        signs: the diagonals (1 and -1) of D₁, D₂ and D₃; d is a power of two.
    """

    def __init__(self, signs: Float[Tensor, "3 dimension"]) -> None:
        self._signs = signs

    def apply(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dimension"]:
        last, middle, first = self._signs.to(x.dtype)
        transformed = self._transform(x.reshape(-1, x.shape[-1]) * first[: x.shape[-1]])
        return walsh_hadamard(transformed.mul_(middle)).mul_(last).view(*x.shape[:-1], -1)

    def adjoint(self, y: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch dimension"]:
        last, middle, first = self._signs.to(y.dtype)
        transformed = self._transform(y.reshape(-1, y.shape[-1]) * last[: y.shape[-1]])
        return walsh_hadamard(transformed.mul_(middle)).mul_(first).view(*y.shape[:-1], -1)

    def _transform(self, x: Float[Tensor, "row width"]) -> Float[Tensor, "row dimension"]:
        """H x of zero-padded x: since H is a Kronecker product, a smaller transform repeated to the dimension."""
        dimension, size = self._signs.shape[1], 1 << (x.shape[1] - 1).bit_length()
        repeats = dimension // size
        return walsh_hadamard(F.pad(x, (0, size - x.shape[1]))).mul_(repeats**-0.5).repeat(1, repeats)


class DenseMatrix:
    """A dense matrix."""

    def __init__(self, matrix: Float[Tensor, "dimension dimension"]) -> None:
        self.matrix = matrix

    def apply(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dimension"]:
        return x @ self.matrix[:, : x.shape[-1]].T.to(x.dtype)

    def adjoint(self, y: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch dimension"]:
        return y @ self.matrix[: y.shape[-1]].to(y.dtype)


def walsh_hadamard(x: Float[Tensor, "row dimension"]) -> Float[Tensor, "row dimension"]:
    """Normalized Walsh-Hadamard transform, by matrix products with its Kronecker factors."""
    rows, dimension = x.shape
    stride = 1
    for size in _factors(dimension):
        factor = _hadamard(size, x.dtype, x.device)
        x = x.view(-1, size) @ factor if stride == 1 else factor @ x.view(-1, size, stride)
        stride *= size
    return x.view(rows, dimension)


def _factors(dimension: int) -> list[int]:
    """Powers of two of similar size, at most 64, whose product is the dimension."""
    bits = dimension.bit_length() - 1
    parts = max(1, -(-bits // 6))
    return [2 ** (bits // parts + (part < bits % parts)) for part in range(parts)]


@lru_cache(maxsize=64)
def _hadamard(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    matrix = torch.ones(1, 1, dtype=dtype, device=device)
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=dtype, device=device) * 0.5**0.5
    while len(matrix) < size:
        matrix = torch.kron(pair, matrix)
    return matrix
