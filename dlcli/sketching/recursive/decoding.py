"""Attributes of objects, read from sketches whose structure is known, or from the first values of such sketches."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.sketching.recursive.least_squares import least_squares
from dlcli.sketching.recursive.linear_map import check_width, down
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.paths import paths, squared_norms
from dlcli.sketching.recursive.scale import Scale
from dlcli.sketching.recursive.sketch import coefficients

Decoder = Callable[[Tensor, Structure, Matrices, int, Scale], Tensor]


def identity_path(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """R_{M,1}ᵀ s over the coefficient of the way that meets no other matrix: the paper's decoder.

    Two objects of one module in a scene are not told apart. The error is about 1 / (coefficient √kept).
    """
    return over(read(sketches, structure, matrices, width), coefficients(structure, scale))


def path_selected(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """Undo each matrix on the way to an object, then R_{M,1}: two objects of one module are told apart.

    An object that is reached by several paths is read from all of them, by their weights.
    """
    ways = paths(structure, scale)
    norms = sketches.new_zeros(len(structure.module))
    norms.index_add_(0, ways.object, ways.coefficient.square().to(norms.dtype))
    return over(down(sketches, structure, matrices, scale, width, "matrix"), norms) * rescaled(sketches, matrices)


def matched_filter(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """The adjoint of the whole chain to an object, over the expected squared norm of its columns.

    All 2^m words of the chain are read where the identity path reads one, so the error is smaller the deeper an object
    lies. Not in the paper.
    """
    found = down(sketches, structure, matrices, scale, width)
    return over(found, squared_norms(structure, scale)) * rescaled(sketches, matrices)


def read(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int
) -> Float[Tensor, "object attribute"]:
    """R_{M,1}ᵀ s for the module of each object, once a scene."""
    check_width(width, matrices)
    found = sketches.new_zeros(len(structure.module), width)
    for number in structure.module.unique().tolist():
        which = (structure.module == number).nonzero().squeeze(1)
        scenes, place = structure.scene[which].unique(return_inverse=True)
        seen = matrices.attribute(structure.modules[number]).adjoint(sketches[scenes])[:, :width]
        found[which] = seen[place]
    return found * rescaled(sketches, matrices)


def rescaled(sketches: Float[Tensor, "scene kept"], matrices: Matrices) -> float:
    """What the part of a product that was kept is multiplied by: d / kept."""
    return matrices.dimension / sketches.shape[1]


def over(
    found: Float[Tensor, "object attribute"], norms: Float[Tensor, " object"]
) -> Float[Tensor, "object attribute"]:
    """Divided row by row; an object of weight 0 has left nothing, and is 0."""
    return found * torch.where(norms > 0, 1 / norms, 0).to(found.dtype).unsqueeze(1)


DECODERS: dict[str, Decoder] = {
    "identity_path": identity_path,
    "path_selected": path_selected,
    "matched_filter": matched_filter,
    "least_squares": least_squares,
}
