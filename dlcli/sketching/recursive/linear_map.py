"""The linear map from attributes and signatures to sketches, and its adjoint: one walk over all scenes at once."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.object_vector import Through, back, downward, forth, upward
from dlcli.sketching.recursive.scale import GAIN, Scale, scaled
from dlcli.sketching.recursive.topological_levels import Groups

_VALUES = 2**17  # of the rows that are worked on at once


def up(
    structure: Structure,
    attributes: Float[Tensor, "object attribute"],
    signatures: Float[Tensor, " object"],
    matrices: Matrices,
    scale: Scale,
) -> Float[Tensor, "scene dimension"]:
    """Sketches of all scenes, from the objects without children up to the outputs.

    Args:
        signatures: what the signature of each object is multiplied by; 1 in a sketch.

    Raises:
        UsageError: an attribute is wider than a sketch.
    """
    check_width(attributes.shape[1], matrices)
    gain, weight = GAIN[scale], scaled(structure.weight, scale).to(attributes.dtype)
    values = torch.cat([attributes, signatures.to(attributes.dtype).unsqueeze(1)], 1) * gain**4
    levels, objects, most = structure.levels, len(structure.module), _rows(matrices)
    sketch = attributes.new_zeros(objects + structure.scenes, matrices.dimension)
    for modules, edges in zip(levels.objects, levels.edges, strict=True):
        _tuples(sketch, structure, edges, weight * gain**4, matrices)
        for number, group in modules:
            name = structure.modules[number]
            own = upward(name, len(group), matrices, values)
            for which in group.split(most):
                made = own(values[which])
                if edges:
                    made += forth(matrices.object(name), forth(matrices.position(1), sketch[which]))
                sketch[which] = made
    _tuples(sketch, structure, levels.outputs, weight * gain, matrices)
    return sketch[objects:]


def down(
    sketches: Float[Tensor, "scene kept"],
    structure: Structure,
    matrices: Matrices,
    scale: Scale,
    width: int,
    through: Through = "both",
) -> Float[Tensor, "object attribute"]:
    """The adjoint of `up` for attributes: from the outputs down to the objects, along every way.

    Args:
        sketches: their first values; what was cut off counts as 0, which is the adjoint of the whole product cut.
        width: of the attributes.
        through: "both" for (I + Rᵀ) at every step, or the "matrix" alone, which belongs to one path.
    """
    check_width(width, matrices)
    gain, weight = GAIN[scale], scaled(structure.weight, scale).to(sketches.dtype)
    levels, objects, most = structure.levels, len(structure.module), _rows(matrices)
    returned = sketches.new_zeros(objects, matrices.dimension)
    attributes = sketches.new_zeros(objects, width)
    whole = F.pad(sketches, (0, matrices.dimension - sketches.shape[1]))
    for position, edges in _parts(levels.outputs, matrices):
        child = structure.child[edges]
        turned = back(matrices.position(position), whole[structure.scene[child]], through)
        returned.index_add_(0, child, turned.mul_((weight[edges] * gain).unsqueeze(1)))
    for modules, places in zip(reversed(levels.objects), reversed(levels.edges), strict=True):
        for number, group in modules:
            name = structure.modules[number]
            own = downward(name, len(group), matrices, through, attributes)
            for which in group.split(most):
                given = returned[which]
                attributes[which] = own(given)
                if places:
                    returned[which] = back(matrices.position(1), back(matrices.object(name), given, through), through)
        for position, edges in _parts(places, matrices):
            turned = back(matrices.position(position), returned[structure.parent[edges]], through)
            returned.index_add_(0, structure.child[edges], turned.mul_((weight[edges] * gain**4).unsqueeze(1)))
    return attributes * gain**4


def check_width(width: int, matrices: Matrices) -> None:
    """Refuse attributes that do not fit into a sketch.

    Raises:
        UsageError: they are wider than it.
    """
    if width > matrices.dimension:
        raise UsageError(f"a sketch of dimension {matrices.dimension} cannot hold attributes of {width} values")


def _tuples(sketch: Tensor, structure: Structure, places: Groups, weight: Tensor, made: Matrices) -> None:
    """Add the children at every position to those that read them."""
    for position, edges in _parts(places, made):
        turned = forth(made.position(position), sketch[structure.child[edges]])
        sketch.index_add_(0, structure.reader[edges], turned.mul_(weight[edges].unsqueeze(1)))


def _parts(groups: Groups, matrices: Matrices) -> Iterator[tuple[int, Tensor]]:
    """Groups in parts whose rows stay near the processor: arrays for all of them would be new memory every time."""
    for key, which in groups:
        for part in which.split(_rows(matrices)):
            yield key, part


def _rows(matrices: Matrices) -> int:
    return max(1, _VALUES // matrices.dimension)
