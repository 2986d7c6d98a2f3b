"""Object graphs of scenes and the attributes of objects."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.topological_levels import Levels, levels

_log = logging.getLogger("dlcli")

OUTPUT = -1  # as a parent: the output pseudo-object of the child's scene
_TOLERANCE = 1e-3  # deviation from 1 of weight sums and attribute norms


@dataclass(frozen=True, eq=False)
class Structure:
    """Directed acyclic graphs of objects, concatenated over scenes.

    An object is the output of one module, computed from weighted children; the outputs of a network are the children of
    its scene's output pseudo-object.

    Args:
        modules: names of the modules.
        module: module of each object, an index of `modules`.
        scene: scene of each object, in [0, scenes).
        parent: parent of each edge: the index of an object, or OUTPUT.
        child: child of each edge: the index of an object.
        position: position of the child among those of its parent, from 0.
        weight: weight of the child, non-negative; the weights of one parent sum to 1.
        scenes: number of scenes; the sketch of a scene without objects is zero.

    Raises:
        UsageError: an index is out of range, the graph has a cycle or an object without a parent, or weights do not
            sum to 1.
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
        _check_range("module", self.module, 0, len(self.modules))
        _check_range("scene", self.scene, 0, self.scenes)
        _check_range("parent", self.parent, OUTPUT, len(self.module))
        _check_range("child", self.child, 0, len(self.module))
        _check_range("position", self.position, 0, 2**31)
        self._check_edges()
        self._check_weights()
        self.levels  # noqa: B018 (raises for a cycle)

    @cached_property
    def reader(self) -> Int[Tensor, " edge"]:
        """The parent of each edge; output pseudo-objects are numbered after the objects."""
        return torch.where(self.parent == OUTPUT, len(self.module) + self.scene[self.child], self.parent)

    @cached_property
    def levels(self) -> Levels:
        """Topological levels of the graph."""
        return levels(self.modules, self.module, self.parent, self.child, self.position)

    def _check_edges(self) -> None:
        inside = self.parent != OUTPUT
        if (self.scene[self.parent[inside]] != self.scene[self.child[inside]]).any():
            raise UsageError("invalid_graph", problem="parent and child belong to different scenes")
        has_parent = torch.zeros_like(self.module, dtype=torch.bool).index_fill_(0, self.child, True)
        if not has_parent.all():
            orphan = int((~has_parent).nonzero()[0])
            problem = f"object {orphan} of module {self.modules[self.module[orphan]]} has no parent"
            raise UsageError("invalid_graph", problem=problem, hint="add an edge from its parent or from OUTPUT")
        slots = torch.stack([self.reader, self.position])
        if slots.unique(dim=1).shape[1] != slots.shape[1]:
            raise UsageError("invalid_graph", problem="two children of one object have the same position")

    def _check_weights(self) -> None:
        if not (self.weight >= 0).all():
            raise UsageError("invalid_graph", problem="a weight is negative")
        total = self.weight.new_zeros(len(self.module) + self.scenes).index_add_(0, self.reader, self.weight)
        invalid = (total[self.reader] - 1).abs() > _TOLERANCE
        if invalid.any():
            edge = int(invalid.nonzero()[0])
            value, scene = float(total[self.reader[edge]]), int(self.scene[self.child[edge]])
            problem = f"the weights of an object's children sum to {value:.4g} instead of 1 (scene {scene})"
            raise UsageError("invalid_graph", problem=problem)


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of scenes with their attributes.

    Args:
        structure: the graphs of the objects.
        attributes: non-negative rows of length 1 or 0.

    Raises:
        UsageError: the attributes are negative, not normalized, or their number differs from that of the objects.
    """

    structure: Structure
    attributes: Float[Tensor, "object attribute"]

    def __post_init__(self) -> None:
        rows, objects = len(self.attributes), len(self.structure.module)
        if rows != objects:
            raise UsageError("invalid_value", key="attributes", must=f"{objects} rows, one per object", got=rows)
        hint = "split_signs normalizes attributes and splits positive and negative parts"
        if not (self.attributes >= 0).all():
            least = float(self.attributes.min())
            raise UsageError("invalid_value", key="attributes", must="non-negative", got=least, hint=hint)
        length = torch.linalg.vector_norm(self.attributes, dim=1)
        invalid = (length > 0) & ((length - 1).abs() > _TOLERANCE)
        if invalid.any():
            got = f"{float(length[invalid][0]):.4g}"
            raise UsageError("invalid_value", key="attributes", must="rows of length 1 or 0", got=got, hint=hint)


def split_signs(
    raw: Float[Tensor, "object value"],
) -> tuple[Float[Tensor, "object attribute"], Float[Tensor, " object"]]:
    """Concatenate positive and negative parts and normalize the rows; returns them with their original norms.

    Negative values are logged.
    """
    if _log.isEnabledFor(logging.INFO) and bool((raw < 0).any()):
        _log.info("negative attributes: split into positive and negative parts and normalized")
    parts = torch.cat([raw.clamp(min=0), (-raw).clamp(min=0)], 1)
    length = torch.linalg.vector_norm(parts, dim=1)
    return parts / torch.where(length > 0, length, 1).unsqueeze(1), length


def join_signs(attributes: Float[Tensor, "object attribute"]) -> Float[Tensor, "object value"]:
    """Positive minus negative parts: the inverse of `split_signs` up to the norm."""
    positive, negative = attributes.chunk(2, 1)
    return positive - negative


def index_of_module(name: str, modules: Sequence[str]) -> int:
    """Index of a module.

    Raises:
        UsageError: the name is unknown.
    """
    if name not in modules:
        raise UsageError("unknown_name", kind="module", name=name, known=modules)
    return list(modules).index(name)


def _check_range(key: str, values: Tensor, low: int, high: int) -> None:
    invalid = (values < low) | (values >= high)
    if invalid.any():
        raise UsageError("invalid_value", key=key, must=f"in [{low}, {high})", got=int(values[invalid][0]))
