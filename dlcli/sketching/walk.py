"""The linear map from attributes and signatures to sketches, and its adjoint: one walk over all scenes at once."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.matrices import Matrices
from dlcli.sketching.objects import Structure
from dlcli.sketching.operators import Operator
from dlcli.sketching.scaling import GAIN, Scale, scaled

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
    levels, objects = structure.levels, len(structure.module)
    sketch = attributes.new_zeros(objects + structure.scenes, matrices.dimension)
    for modules, edges in zip(levels.objects, levels.edges, strict=True):
        _tuples(sketch, structure, edges, weight, gain, matrices)
        for number, which in modules:
            name = structure.modules[number]
            mark = torch.outer(signatures[which], matrices.mark(name).to(attributes.dtype))
            own = matrices.attribute(name).apply(attributes[which]).add_(mark).mul_(gain)
            pair = _through(matrices.position(0), own, gain)
            if edges:
                pair += _through(matrices.position(1), sketch[which], gain)
            sketch[which] = _through(matrices.object(name), pair.mul_(gain), gain)
    _tuples(sketch, structure, levels.outputs, weight, gain, matrices)
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
    for position, edges in levels.outputs:
        turned = _back(matrices.position(position), whole, gain, through)
        child = structure.child[edges]
        back.index_add_(0, child, turned[structure.scene[child]] * weight[edges].unsqueeze(1))
    for modules, places in zip(reversed(levels.objects), reversed(levels.edges), strict=True):
        for number, which in modules:
            name = structure.modules[number]
            pair = _back(matrices.object(name), back[which], gain, through).mul_(gain)
            own = _back(matrices.position(0), pair, gain, through).mul_(gain)
            attributes[which] = matrices.attribute(name).adjoint(own)[:, :width]
            if places:
                back[which] = _back(matrices.position(1), pair, gain, through)
        for position, edges in places:
            turned = _back(matrices.position(position), back[structure.parent[edges]], gain, through)
            back.index_add_(0, structure.child[edges], turned.mul_(weight[edges].unsqueeze(1)))
    return attributes


def check_width(width: int, matrices: Matrices) -> None:
    """Refuse attributes that do not fit into a sketch.

    Raises:
        UsageError: they are wider than it.
    """
    if width > matrices.dimension:
        raise UsageError(f"a sketch of dimension {matrices.dimension} cannot hold attributes of {width} values")


def _tuples(
    sketch: Tensor, structure: Structure, places: list[tuple[int, Tensor]], weight: Tensor, gain: float, made: Matrices
) -> None:
    """Add the children at every position to those that read them."""
    for position, edges in places:
        turned = _through(made.position(position), sketch[structure.child[edges]], gain)
        sketch.index_add_(0, structure.reader[edges], turned.mul_(weight[edges].unsqueeze(1)))


def _through(operator: Operator, x: Tensor, gain: float) -> Tensor:
    """T x, with T = gain (I + R)."""
    return operator.apply(x).add_(x).mul_(gain)


def _back(operator: Operator, y: Tensor, gain: float, through: Through) -> Tensor:
    turned = operator.adjoint(y)
    return (turned.add_(y) if through == "both" else turned).mul_(gain)
