"""The linear map from attributes and signatures to sketches, and its adjoint: one walk over all scenes at once."""

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.levels import Groups
from dlcli.sketching.matrices import Matrices
from dlcli.sketching.objects import Structure
from dlcli.sketching.operators import Operator
from dlcli.sketching.scaling import GAIN, Scale, scaled

_VALUES = 2**17  # of the rows that are worked on at once
Through = Literal["both", "matrix"]


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
    attributes, signatures = attributes * gain**4, signatures.to(attributes.dtype) * gain**4
    levels, objects = structure.levels, len(structure.module)
    sketch = attributes.new_zeros(objects + structure.scenes, matrices.dimension)
    for modules, edges in zip(levels.objects, levels.edges, strict=True):
        _tuples(sketch, structure, edges, weight * gain**4, matrices)
        for number, which in _parts(modules, matrices):
            name = structure.modules[number]
            mark = torch.outer(signatures[which], matrices.mark(name).to(attributes.dtype))
            own = matrices.attribute(name).apply(attributes[which]).add_(mark)
            pair = _through(matrices.position(0), own)
            if edges:
                pair += _through(matrices.position(1), sketch[which])
            sketch[which] = _through(matrices.object(name), pair)
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
    levels, objects = structure.levels, len(structure.module)
    back = sketches.new_zeros(objects, matrices.dimension)
    attributes = sketches.new_zeros(objects, width)
    whole = F.pad(sketches, (0, matrices.dimension - sketches.shape[1]))
    for position, edges in _parts(levels.outputs, matrices):
        child = structure.child[edges]
        turned = _back(matrices.position(position), whole[structure.scene[child]], through)
        back.index_add_(0, child, turned.mul_((weight[edges] * gain).unsqueeze(1)))
    for modules, places in zip(reversed(levels.objects), reversed(levels.edges), strict=True):
        for number, which in _parts(modules, matrices):
            name = structure.modules[number]
            pair = _back(matrices.object(name), back[which], through)
            own = _back(matrices.position(0), pair, through)
            attributes[which] = matrices.attribute(name).adjoint(own)[..., :width]
            if places:
                back[which] = _back(matrices.position(1), pair, through)
        for position, edges in _parts(places, matrices):
            turned = _back(matrices.position(position), back[structure.parent[edges]], through)
            back.index_add_(0, structure.child[edges], turned.mul_((weight[edges] * gain**4).unsqueeze(1)))
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
        turned = _through(made.position(position), sketch[structure.child[edges]])
        sketch.index_add_(0, structure.reader[edges], turned.mul_(weight[edges].unsqueeze(1)))


def _parts(groups: Groups, matrices: Matrices) -> Iterator[tuple[int, Tensor]]:
    """Groups in parts whose rows stay near the processor: arrays for all of them would be new memory every time."""
    most = max(1, _VALUES // matrices.dimension)
    for key, which in groups:
        for part in which.split(most):
            yield key, part


def _through(operator: Operator, x: Tensor) -> Tensor:
    """(I + R) x: the gain of T waits, and is put to attributes and weights."""
    return operator.apply(x).add_(x)


def _back(operator: Operator, y: Tensor, through: Through) -> Tensor:
    turned = operator.adjoint(y)
    return turned.add_(y) if through == "both" else turned
