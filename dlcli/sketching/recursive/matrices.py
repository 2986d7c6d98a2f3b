"""Random matrices of sketches, generated on demand from a seed and names."""

import logging
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.operators import DenseMatrix, Hadamard, Operator

Kind = Literal["hadamard", "dense", "block"]
_CACHE_BYTES = 2**30  # matrices beyond this size are generated again when needed


class Matrices:
    """Independent random matrices for every module and role and every tuple position, equal in every process.

    Paper: Ghazi, Panigrahy & Wang 2019, arXiv:1905.12730. Differs: "hadamard" (a structured rotation) is available
    besides dense signs and block-random matrices, whose blocks have no signatures of matrix and column.

    Args:
        kind: "hadamard", "dense" (random signs) or "block" (the blocks of a column are zero or random signs).
        dimension: dimension of a sketch; rounded up to a power of two for "hadamard".
        seed: seed of all matrices.
        block: block length of "block". With few blocks a column may be zero (1 % of the columns with 16 blocks at
            density 1/4), and its attribute cannot be decoded.
        density: fraction of non-zero blocks of "block".
        device: device of the matrices. They are generated on the CPU and thus equal on every device.

    Raises:
        UsageError: the kind is unknown or a size is invalid.
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
            raise UsageError("unknown_name", kind="matrix", name=kind, known=get_args(Kind))
        if dimension < 1:
            raise UsageError("invalid_value", key="dimension", must="at least 1", got=dimension)
        if kind == "block" and (block < 1 or dimension % block):
            raise UsageError("invalid_value", key="block", must=f"a divisor of dimension={dimension}", got=block)
        if kind == "block" and not 0 < density <= 1:
            raise UsageError("invalid_value", key="density", must="in (0, 1]", got=density)
        self.kind, self.seed, self.block, self.density, self.device = kind, seed, block, density, device
        self.dimension = padded_dimension(dimension) if kind == "hadamard" else dimension
        self._cache: OrderedDict[str, Operator] = OrderedDict()
        self._signatures: dict[str, Tensor] = {}

    def object(self, module: str) -> Operator:
        """R_{M,0}, applied to the sketch of an object."""
        return self._get(f"object/{module}")

    def attribute(self, module: str) -> Operator:
        """R_{M,1}, applied to attributes."""
        return self._get(f"attribute/{module}")

    def signature(self, module: str) -> Operator:
        """R_{M,2}, whose first column is the signature of the module."""
        return self._get(f"signature/{module}")

    def position(self, i: int) -> Operator:
        """R_{tuple,i}, applied to the element at position i of a tuple."""
        return self._get(f"position/{i}")

    def signature_vector(self, module: str) -> Float[Tensor, " dimension"]:
        """The signature of a module: the first column of R_{M,2}."""
        if module not in self._signatures:
            self._signatures[module] = self.signature(module).apply(torch.ones(1, device=self.device))
        return self._signatures[module]

    def about(self) -> dict[str, Any]:
        """The parameters that determine the matrices."""
        facts: dict[str, Any] = {"kind": self.kind, "dimension": self.dimension, "seed": self.seed}
        return facts | ({"block": self.block, "density": self.density} if self.kind == "block" else {})

    def _get(self, name: str) -> Operator:
        """The matrix of a name, from a least-recently-used cache."""
        if name not in self._cache:
            self._cache[name] = _GENERATORS[self.kind](self, _generator(self.seed, name))
            while len(self._cache) > max(1, _CACHE_BYTES // self._bytes()):
                self._cache.popitem(last=False)
        self._cache.move_to_end(name)
        return self._cache[name]

    def _bytes(self) -> int:
        return 4 * self.dimension * (3 if self.kind == "hadamard" else self.dimension)


def padded_dimension(dimension: int) -> int:
    """The next power of two; padding is logged."""
    padded = 1 << (dimension - 1).bit_length()
    if padded != dimension:
        logging.getLogger("dlcli").info(
            "dimension %d rounded up to %d, a power of two (matrix=hadamard)", dimension, padded
        )
    return padded


def _generator(seed: int, name: str) -> torch.Generator:
    digest = blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def _signs(shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=draw, dtype=torch.int8).float().mul_(2).sub_(1)


def _hadamard(matrices: Matrices, draw: torch.Generator) -> Operator:
    return Hadamard(_signs((3, matrices.dimension), draw).to(matrices.device))


def _dense(matrices: Matrices, draw: torch.Generator) -> Operator:
    dimension = matrices.dimension
    return DenseMatrix(_signs((dimension, dimension), draw).mul_(dimension**-0.5).to(matrices.device))


def _block(matrices: Matrices, draw: torch.Generator) -> Operator:
    """Non-zero entries are ±1/√(dq) at density q, so that the expected squared norm of a column is 1."""
    dimension, density = matrices.dimension, matrices.density
    nonzero = torch.rand(dimension // matrices.block, dimension, generator=draw) < density
    signs = _signs((dimension, dimension), draw).mul_((dimension * density) ** -0.5)
    return DenseMatrix((signs * nonzero.repeat_interleave(matrices.block, 0)).to(matrices.device))


_GENERATORS: dict[str, Callable[[Matrices, torch.Generator], Operator]] = {
    "hadamard": _hadamard,
    "dense": _dense,
    "block": _block,
}
