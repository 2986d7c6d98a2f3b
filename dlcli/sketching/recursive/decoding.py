"""Decoders of attributes from complete or erased sketches, given the structure of the scenes."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.sketching.recursive.least_squares import least_squares
from dlcli.sketching.recursive.linear_map import adjoint_map, check_width
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.paths import paths, squared_norms
from dlcli.sketching.recursive.scale import Scale
from dlcli.sketching.recursive.sketch import coefficients

Decoder = Callable[[Tensor, Structure, Matrices, int, Scale], Tensor]


def identity_path(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """R_{M,1}ᵀ s divided by the coefficient of the path through no other matrix: the decoder of the paper.

    It does not distinguish two objects of one module in a scene. The error is about 1 / (coefficient √kept).
    """
    return divide_rows(project(sketches, structure, matrices, width), coefficients(structure, scale))


def path_selected(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """Invert each matrix on the path to an object, then R_{M,1}; distinguishes two objects of one module.

    An object with several paths is the weighted combination of all of them.
    """
    all_paths = paths(structure, scale)
    norms = sketches.new_zeros(len(structure.module))
    norms.index_add_(0, all_paths.object, all_paths.coefficient.square().to(norms.dtype))
    decoded = adjoint_map(sketches, structure, matrices, scale, width, "matrix")
    return divide_rows(decoded, norms) * erasure_factor(sketches, matrices)


def matched_filter(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int, scale: Scale
) -> Float[Tensor, "object attribute"]:
    """Adjoint of the complete linear map to an object, divided by the expected squared norm of its columns.

    It combines all 2^m matrix products of a path with m matrices, of which the identity path uses one, so the error is
    smaller, increasingly so with depth. Not in the paper.
    """
    decoded = adjoint_map(sketches, structure, matrices, scale, width)
    return divide_rows(decoded, squared_norms(structure, scale)) * erasure_factor(sketches, matrices)


def project(
    sketches: Float[Tensor, "scene kept"], structure: Structure, matrices: Matrices, width: int
) -> Float[Tensor, "object attribute"]:
    """R_{M,1}ᵀ s for the module of each object, computed once per module and scene."""
    check_width(width, matrices)
    projections = sketches.new_zeros(len(structure.module), width)
    for number in structure.module.unique().tolist():
        objects = (structure.module == number).nonzero().squeeze(1)
        scenes, inverse = structure.scene[objects].unique(return_inverse=True)
        by_scene = matrices.attribute(structure.modules[number]).adjoint(sketches[scenes])[:, :width]
        projections[objects] = by_scene[inverse]
    return projections * erasure_factor(sketches, matrices)


def erasure_factor(sketches: Float[Tensor, "scene kept"], matrices: Matrices) -> float:
    """D / kept, which rescales inner products of erased sketches."""
    return matrices.dimension / sketches.shape[1]


def divide_rows(
    rows: Float[Tensor, "object attribute"], norms: Float[Tensor, " object"]
) -> Float[Tensor, "object attribute"]:
    """Rows divided by norms; 0 for objects of weight 0, which do not contribute to a sketch."""
    return rows * torch.where(norms > 0, 1 / norms, 0).to(rows.dtype).unsqueeze(1)


DECODERS: dict[str, Decoder] = {
    "identity_path": identity_path,
    "path_selected": path_selected,
    "matched_filter": matched_filter,
    "least_squares": least_squares,
}
