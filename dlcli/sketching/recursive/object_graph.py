"""What is sketched: the objects of scenes, what they are made of, and their attributes."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError, nearest
from dlcli.sketching.recursive.topological_levels import Levels, levels

_log = logging.getLogger("dlcli")

OUTPUT = -1  # as a parent: the output pseudo-object of the child's scene
_NEAR = 1e-3  # of 1, that weights may sum to and rows be long


@dataclass(frozen=True, eq=False)
class Structure:
    """Directed acyclic graphs of objects, those of all scenes side by side.

    An object was made by one module, from its children with weights; the outputs of a network are the children of its
    scene's output pseudo-object.

    Args:
        modules: their names.
        module: of each object, a number in `modules`.
        scene: of each object, in [0, scenes).
        parent: of each edge, an object's number or OUTPUT.
        child: of each edge.
        position: of the child among its parent's, from 0.
        weight: of the child, not negative; those of one parent sum to 1.
        scenes: how many there are; one without objects has a sketch of zeros.

    Raises:
        UsageError: a cycle, an object that nothing reads, weights that do not sum to 1, numbers of nothing.
    """

    modules: tuple[str, ...]
    module: Int[Tensor, " object"]
    scene: Int[Tensor, " object"]
    parent: Int[Tensor, " edge"]
    child: Int[Tensor, " edge"]
    position: Int[Tensor, " edge"]
    weight: Float[Tensor, " edge"]
    scenes: int

    def __post_init__(self) -> None:
        _within("module", self.module, 0, len(self.modules))
        _within("scene", self.scene, 0, self.scenes)
        _within("parent", self.parent, OUTPUT, len(self.module))
        _within("child", self.child, 0, len(self.module))
        _within("position", self.position, 0, 2**31)
        self._check_edges()
        self._check_weights()
        self.levels  # noqa: B018 (a cycle has none)

    @cached_property
    def reader(self) -> Int[Tensor, " edge"]:
        """The parent of each edge, where output pseudo-objects have the numbers that follow the objects'."""
        return torch.where(self.parent == OUTPUT, len(self.module) + self.scene[self.child], self.parent)

    @cached_property
    def levels(self) -> Levels:
        """In which order objects can be sketched."""
        return levels(self.modules, self.module, self.parent, self.child, self.position)

    def _check_edges(self) -> None:
        inside = self.parent != OUTPUT
        if (self.scene[self.parent[inside]] != self.scene[self.child[inside]]).any():
            raise UsageError("an object cannot be made of one from another scene")
        read = torch.zeros_like(self.module, dtype=torch.bool).index_fill_(0, self.child, True)
        if not read.all():
            alone = int((~read).nonzero()[0])
            raise UsageError(
                f"nothing reads object {alone} of module {self.modules[self.module[alone]]}: "
                "give it a parent, or OUTPUT"
            )
        places = torch.stack([self.reader, self.position])
        if places.unique(dim=1).shape[1] != places.shape[1]:
            raise UsageError("two children of one object have the same position")

    def _check_weights(self) -> None:
        if not (self.weight >= 0).all():
            raise UsageError("weights are at least 0")
        total = self.weight.new_zeros(len(self.module) + self.scenes).index_add_(0, self.reader, self.weight)
        wrong = (total[self.reader] - 1).abs() > _NEAR
        if wrong.any():
            edge = int(wrong.nonzero()[0])
            raise UsageError(
                f"the weights of one object's children sum to 1, not {float(total[self.reader[edge]]):.4g} "
                f"(scene {int(self.scene[self.child[edge]])})"
            )


@dataclass(frozen=True, eq=False)
class Objects:
    """A structure, and what is true of each object.

    Args:
        structure: which objects there are.
        attributes: rows that are not negative, of length 1 or 0.

    Raises:
        UsageError: rows that are not so.
    """

    structure: Structure
    attributes: Float[Tensor, "object attribute"]

    def __post_init__(self) -> None:
        rows, objects = len(self.attributes), len(self.structure.module)
        if rows != objects:
            raise UsageError(f"{objects} objects have {objects} rows of attributes, not {rows}")
        if not (self.attributes >= 0).all():
            raise UsageError("attributes are at least 0: split_signs makes them so")
        length = torch.linalg.vector_norm(self.attributes, dim=1)
        wrong = (length > 0) & ((length - 1).abs() > _NEAR)
        if wrong.any():
            raise UsageError(
                f"attributes have length 1 or 0, not {float(length[wrong][0]):.4g}: split_signs makes them so"
            )


def split_signs(
    raw: Float[Tensor, "object value"],
) -> tuple[Float[Tensor, "object attribute"], Float[Tensor, " object"]]:
    """Positive and negative parts side by side, as rows of length 1 (or 0), and the lengths that the rows had.

    It is said to the log where there are negative ones.
    """
    if _log.isEnabledFor(logging.INFO) and bool((raw < 0).any()):
        _log.info("attributes below 0: positive and negative parts are kept side by side, each row at length 1")
    parts = torch.cat([raw.clamp(min=0), (-raw).clamp(min=0)], 1)
    length = torch.linalg.vector_norm(parts, dim=1)
    return parts / torch.where(length > 0, length, 1).unsqueeze(1), length


def joined(attributes: Float[Tensor, "object attribute"]) -> Float[Tensor, "object value"]:
    """Positive less negative parts: what `split_signs` split."""
    positive, negative = attributes.chunk(2, 1)
    return positive - negative


def number_of(name: str, modules: Sequence[str]) -> int:
    """The place of a module among those of a network.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in modules:
        raise UsageError(f'there is no module "{name}"{nearest(name, modules)}')
    return list(modules).index(name)


def _within(what: str, numbers: Tensor, low: int, high: int) -> None:
    wrong = (numbers < low) | (numbers >= high)
    if wrong.any():
        raise UsageError(f"a {what} is a number in [{low}, {high}), not {int(numbers[wrong][0])}")
