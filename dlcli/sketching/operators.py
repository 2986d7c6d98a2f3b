"""Random matrices that a sketch multiplies by: structured ones, and those that are kept whole."""

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_VALUES = 2**18  # of the rows that are transformed at once: what a processor keeps near


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
        return self._by_rows(x, lambda rows: walsh(walsh(rows * first).mul_(middle)).mul_(last))

    def adjoint(self, y: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch dimension"]:
        last, middle, first = self._signs.to(y.dtype)
        return self._by_rows(y, lambda rows: walsh(walsh(rows * last).mul_(middle)).mul_(first))

    def _by_rows(self, x: Tensor, turned: Callable[[Tensor], Tensor]) -> Tensor:
        dimension = self._signs.shape[1]
        padded = F.pad(x, (0, dimension - x.shape[-1])).reshape(-1, dimension)
        parts = [turned(rows) for rows in padded.split(max(1, _VALUES // dimension))]
        return torch.cat(parts).view(*x.shape[:-1], dimension)


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
