"""All random matrices of a sketch, made when they are asked for from a seed and names."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError, nearest
from dlcli.sketching.recursive.operators import Hadamard, Operator, Whole

Kind = Literal["hadamard", "dense", "block"]
_MOST = 2**30  # bytes of matrices that are kept; those that do not fit are made anew


class Matrices:
    """A matrix for every module and role, and one for every place in a tuple: independent, and equal in every process.

    Paper: Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730. Differs: "hadamard" (a structured rotation) stands beside
    dense signs and block-random matrices, which have no signatures of matrix and column in their blocks.

    Args:
        kind: "hadamard", "dense" signs, or "block": blocks of a column are zero or signs.
        dimension: of a sketch; a power of two for "hadamard", else the next one is taken and said so.
        seed: what all of them are drawn from.
        block: length of a block; only "block" reads it. A column may be all zeros where there are few: of 16 blocks
            at density 1/4, one column in a hundred is, and nothing can be read of its attribute.
        density: share of blocks that are not zero; only "block" reads it.
        device: where they lie. They are drawn on the CPU, so that they are the same everywhere.

    Raises:
        UsageError: no such kind, or sizes that make no matrix.
    """

    def __init__(
        self,
        kind: str,
        dimension: int,
        seed: int,
        *,
        block: int = 16,
        density: float = 0.25,
        device: torch.device = torch.device("cpu"),  # noqa: B008
    ) -> None:
        if kind not in get_args(Kind):
            raise UsageError(f'a sketch has no matrices "{kind}"{nearest(kind, get_args(Kind))}')
        if dimension < 1:
            raise UsageError(f"the dimension of a sketch is at least 1, not {dimension}")
        if kind == "block" and (block < 1 or dimension % block or not 0 < density <= 1):
            raise UsageError(
                f"blocks must divide the dimension and have a density in (0, 1]: {block} in {dimension}, {density}"
            )
        self.kind, self.seed, self.block, self.density, self.device = kind, seed, block, density, device
        self.dimension = padded(dimension) if kind == "hadamard" else dimension
        self._kept: OrderedDict[str, Operator] = OrderedDict()
        self._marks: dict[str, Tensor] = {}

    def object(self, module: str) -> Operator:
        """R_{M,0}, which an object's sketch goes through."""
        return self._made(f"object/{module}")

    def attribute(self, module: str) -> Operator:
        """R_{M,1}, which attributes go through."""
        return self._made(f"attribute/{module}")

    def signature(self, module: str) -> Operator:
        """R_{M,2}, whose first column is the signature of the module's objects."""
        return self._made(f"signature/{module}")

    def position(self, i: int) -> Operator:
        """R_{tuple,i}, which the thing at a place of a tuple goes through."""
        return self._made(f"position/{i}")

    def mark(self, module: str) -> Float[Tensor, " dimension"]:
        """The first column of the signature's matrix."""
        if module not in self._marks:
            self._marks[module] = self.signature(module).apply(torch.ones(1, device=self.device))
        return self._marks[module]

    def about(self) -> dict[str, Any]:
        """What they are made from: two that say the same are the same."""
        facts: dict[str, Any] = {"kind": self.kind, "dimension": self.dimension, "seed": self.seed}
        return facts | ({"block": self.block, "density": self.density} if self.kind == "block" else {})

    def _made(self, name: str) -> Operator:
        if name not in self._kept:
            self._kept[name] = _DRAWN[self.kind](self, _generator(self.seed, name))
            while len(self._kept) > max(1, _MOST // self._bytes()):
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return self._kept[name]

    def _bytes(self) -> int:
        return 4 * self.dimension * (3 if self.kind == "hadamard" else self.dimension)


def padded(dimension: int) -> int:
    """The next power of two, said to the log when it is another."""
    whole = 1 << (dimension - 1).bit_length()
    if whole != dimension:
        logging.getLogger("dlcli").info(
            "sketch dimension %d is no power of two: padded to %d (matrices=hadamard)", dimension, whole
        )
    return whole


def _generator(seed: int, name: str) -> torch.Generator:
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def _signs(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=draw, dtype=torch.int8).float().mul_(2).sub_(1)


def _hadamard(matrices: Matrices, draw: torch.Generator) -> Operator:
    return Hadamard(_signs((3, matrices.dimension), draw).to(matrices.device))


def _dense(matrices: Matrices, draw: torch.Generator) -> Operator:
    dimension = matrices.dimension
    return Whole(_signs((dimension, dimension), draw).mul_(dimension**-0.5).to(matrices.device))


def _block(matrices: Matrices, draw: torch.Generator) -> Operator:
    """Non-zero entries are ±1/√(dq), so that a column has length 1 in the mean."""
    dimension, density = matrices.dimension, matrices.density
    there = torch.rand(dimension // matrices.block, dimension, generator=draw) < density
    signs = _signs((dimension, dimension), draw).mul_((dimension * density) ** -0.5)
    return Whole((signs * there.repeat_interleave(matrices.block, 0)).to(matrices.device))


_DRAWN: dict[str, Callable[[Matrices, torch.Generator], Operator]] = {
    "hadamard": _hadamard,
    "dense": _dense,
    "block": _block,
}
