"""Random matrices that a sketch multiplies by: structured ones, and those that are kept whole."""

from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Operator(Protocol):
    """A random matrix R of d rows and columns, nearly isometric: ⟨Rx, Ry⟩ is about ⟨x, y⟩."""

    def apply(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dimension"]:
        """R x, where x is 0 from its width to d."""

    def adjoint(self, y: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch dimension"]:
        """Rᵀ y, where y is 0 from its length to d."""


class Hadamard:
    """D₁ H D₂ H D₃, with H the normalised Walsh-Hadamard matrix and D random signs: a rotation in O(d) memory.

    Ailon & Chazelle 2009 for one round of signs and H; the second makes a vector with one entry as good as any other.

    Args:
        signs: 1 and -1, of D₁, D₂ and D₃; d is a power of two.
    """

    def __init__(self, signs: Float[Tensor, "3 dimension"]) -> None:
        self._signs = signs

    def apply(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dimension"]:
        last, middle, first = self._signs.to(x.dtype)
        begun = self._begun(x.reshape(-1, x.shape[-1]) * first[: x.shape[-1]])
        return walsh(begun.mul_(middle)).mul_(last).view(*x.shape[:-1], -1)

    def adjoint(self, y: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch dimension"]:
        last, middle, first = self._signs.to(y.dtype)
        begun = self._begun(y.reshape(-1, y.shape[-1]) * last[: y.shape[-1]])
        return walsh(begun.mul_(middle)).mul_(first).view(*y.shape[:-1], -1)

    def _begun(self, x: Float[Tensor, "row width"]) -> Float[Tensor, "row dimension"]:
        """H x: of a few values, a small transform side by side with itself, for H is a Kronecker product."""
        dimension, short = self._signs.shape[1], 1 << (x.shape[1] - 1).bit_length()
        times = dimension // short
        return walsh(F.pad(x, (0, short - x.shape[1]))).mul_(times**-0.5).repeat(1, times)


class Whole:
    """A matrix that is kept as it is."""

    def __init__(self, matrix: Float[Tensor, "dimension dimension"]) -> None:
        self.matrix = matrix

    def apply(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch dimension"]:
        return x @ self.matrix[:, : x.shape[-1]].T.to(x.dtype)

    def adjoint(self, y: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch dimension"]:
        return y @ self.matrix[: y.shape[-1]].to(y.dtype)


def walsh(x: Float[Tensor, "row dimension"]) -> Float[Tensor, "row dimension"]:
    """The normalised Walsh-Hadamard transform, by matrix products with its Kronecker factors."""
    rows, dimension = x.shape
    stride = 1
    for size in _factors(dimension):
        factor = _hadamard(size, x.dtype, x.device)
        x = x.view(-1, size) @ factor if stride == 1 else factor @ x.view(-1, size, stride)
        stride *= size
    return x.view(rows, dimension)


def _factors(dimension: int) -> list[int]:
    """Powers of two of about one size, at most 64, whose product is the dimension."""
    bits = dimension.bit_length() - 1
    parts = max(1, -(-bits // 6))
    return [2 ** (bits // parts + (place < bits % parts)) for place in range(parts)]


@lru_cache(maxsize=64)
def _hadamard(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    matrix = torch.ones(1, 1, dtype=dtype, device=device)
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=dtype, device=device) * 0.5**0.5
    while len(matrix) < size:
        matrix = torch.kron(pair, matrix)
    return matrix
