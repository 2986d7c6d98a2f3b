"""The linear map from attributes and signatures to sketches, and its adjoint, for all scenes at once."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.object_vector import (
    Through,
    adjoint_plus_identity,
    apply_plus_identity,
    object_map,
    object_map_adjoint,
)
from dlcli.sketching.recursive.scale import GAIN, Scale, scaled
from dlcli.sketching.recursive.topological_levels import Groups

_VALUES = 2**17  # values processed at a time, so that temporaries stay in the cache


def forward_map(
    structure: Structure,
    attributes: Float[Tensor, "object attribute"],
    signatures: Float[Tensor, " object"],
    matrices: Matrices,
    scale: Scale,
) -> Float[Tensor, "scene dimension"]:
    """Sketches of all scenes, computed from the leaf objects to the outputs.

    Args:
        structure: the objects of the scenes.
        attributes: attributes of the objects.
        signatures: coefficient of each object's signature; 1 in a sketch.
        matrices: random matrices.
        scale: scaling of the sketches.

    Raises:
        UsageError: the attributes are wider than the dimension.
    """
    check_width(attributes.shape[1], matrices)
    gain, weight = GAIN[scale], scaled(structure.weight, scale).to(attributes.dtype)
    values = torch.cat([attributes, signatures.to(attributes.dtype).unsqueeze(1)], 1) * gain**4
    levels, objects, rows = structure.levels, len(structure.module), _rows(matrices)
    sketch = attributes.new_zeros(objects + structure.scenes, matrices.dimension)
    for modules, edges in zip(levels.objects, levels.edges, strict=True):
        _add_children(sketch, structure, edges, weight * gain**4, matrices)
        for number, group in modules:
            name = structure.modules[number]
            own = object_map(name, len(group), matrices, values)
            for part in group.split(rows):
                vectors = own(values[part])
                if edges:
                    children = apply_plus_identity(matrices.position(1), sketch[part])
                    vectors += apply_plus_identity(matrices.object(name), children)
                sketch[part] = vectors
    _add_children(sketch, structure, levels.outputs, weight * gain, matrices)
    return sketch[objects:]


def adjoint_map(
    sketches: Float[Tensor, "scene kept"],
    structure: Structure,
    matrices: Matrices,
    scale: Scale,
    width: int,
    through: Through = "both",
) -> Float[Tensor, "object attribute"]:
    """Adjoint of `forward_map` for attributes, computed from the outputs to the leaf objects.

    Args:
        sketches: complete or erased sketches; erased values are treated as 0, the adjoint of the truncated map.
        structure: the objects of the scenes.
        matrices: random matrices.
        scale: scaling of the sketches.
        width: width of the attributes.
        through: "both" for (I + Rᵀ) at every step, or "matrix" for Rᵀ, which selects a single path.

    Raises:
        UsageError: the attributes are wider than the dimension.
    """
    check_width(width, matrices)
    gain, weight = GAIN[scale], scaled(structure.weight, scale).to(sketches.dtype)
    levels, objects, rows = structure.levels, len(structure.module), _rows(matrices)
    vectors = sketches.new_zeros(objects, matrices.dimension)
    attributes = sketches.new_zeros(objects, width)
    padded = F.pad(sketches, (0, matrices.dimension - sketches.shape[1]))
    for position, edges in _parts(levels.outputs, matrices):
        child = structure.child[edges]
        products = adjoint_plus_identity(matrices.position(position), padded[structure.scene[child]], through)
        vectors.index_add_(0, child, products.mul_((weight[edges] * gain).unsqueeze(1)))
    for modules, groups in zip(reversed(levels.objects), reversed(levels.edges), strict=True):
        for number, group in modules:
            name = structure.modules[number]
            own = object_map_adjoint(name, len(group), matrices, through, attributes)
            for part in group.split(rows):
                vector = vectors[part]
                attributes[part] = own(vector)
                if groups:
                    vector = adjoint_plus_identity(matrices.object(name), vector, through)
                    vectors[part] = adjoint_plus_identity(matrices.position(1), vector, through)
        for position, edges in _parts(groups, matrices):
            parents = vectors[structure.parent[edges]]
            products = adjoint_plus_identity(matrices.position(position), parents, through)
            vectors.index_add_(0, structure.child[edges], products.mul_((weight[edges] * gain**4).unsqueeze(1)))
    return attributes * gain**4


def check_width(width: int, matrices: Matrices) -> None:
    """Check that attributes fit into a sketch.

    Raises:
        UsageError: the attributes are wider than the dimension.
    """
    if width > matrices.dimension:
        must = f"at least {width}, the width of the attributes"
        raise UsageError("invalid_value", key="dimension", must=must, got=matrices.dimension)


def _add_children(sketch: Tensor, structure: Structure, groups: Groups, weight: Tensor, matrices: Matrices) -> None:
    """Add the weighted sketches of children to their parents, position by position."""
    for position, edges in _parts(groups, matrices):
        products = apply_plus_identity(matrices.position(position), sketch[structure.child[edges]])
        sketch.index_add_(0, structure.reader[edges], products.mul_(weight[edges].unsqueeze(1)))


def _parts(groups: Groups, matrices: Matrices) -> Iterator[tuple[int, Tensor]]:
    """Split groups into parts whose temporaries stay in the cache."""
    for key, indices in groups:
        for part in indices.split(_rows(matrices)):
            yield key, part


def _rows(matrices: Matrices) -> int:
    return max(1, _VALUES // matrices.dimension)
