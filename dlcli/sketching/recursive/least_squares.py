"""Least-squares decoding of all attributes of a scene by a matrix-free iterative solver."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.sketching.recursive.linear_map import adjoint_map, forward_map
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.paths import squared_norms
from dlcli.sketching.recursive.scale import Scale

_CHECK_EVERY = 8  # iterations between convergence checks


def least_squares(
    sketches: Float[Tensor, "scene kept"],
    structure: Structure,
    matrices: Matrices,
    width: int,
    scale: Scale,
    *,
    iterations: int = 500,
    tolerance: float = 1e-6,
) -> Float[Tensor, "object attribute"]:
    """Attributes that minimize the squared error of the sketch: conjugate gradients on the normal equations (CGNR).

    Hestenes & Stiefel 1952, section 10; all scenes in parallel. Columns are scaled to their expected norm (diagonal
    preconditioning), without which deep objects take hundreds of iterations more. Signatures are known from the
    structure and are subtracted first. Exact if the number of attributes of a scene is well below the number of
    values kept. Not in the paper.

    Args:
        iterations: maximum number of iterations.
        tolerance: convergence threshold of the gradient norm, relative to the initial one.
    """
    kept, objects, dtype = sketches.shape[1], len(structure.module), sketches.dtype
    norms = squared_norms(structure, scale).to(dtype) * (kept / matrices.dimension)
    size = torch.where(norms > 0, norms.rsqrt(), 0).unsqueeze(1)
    x, no_signatures = sketches.new_zeros(objects, width), sketches.new_zeros(objects)

    def forward(attributes: Tensor) -> Tensor:
        return forward_map(structure, size * attributes, no_signatures, matrices, scale)[:, :kept]

    def adjoint(residual: Tensor) -> Tensor:
        return size * adjoint_map(residual, structure, matrices, scale, width)

    residual = sketches - forward_map(structure, x, no_signatures + 1, matrices, scale)[:, :kept]
    gradient = adjoint(residual)
    direction, squared = gradient, _squared_norms(gradient, structure.scene, structure.scenes)
    threshold = squared * max(tolerance, 4 * torch.finfo(dtype).eps) ** 2
    for iteration in range(iterations):
        if iteration % _CHECK_EVERY == 0 and bool((squared <= threshold).all()):
            break
        product = forward(direction)
        # Converged scenes take no steps, which would accumulate rounding errors.
        step = torch.where(squared > threshold, _divide(squared, product.square().sum(1)), 0)
        x += step[structure.scene].unsqueeze(1) * direction
        residual = residual - step.unsqueeze(1) * product
        gradient = adjoint(residual)
        previous, squared = squared, _squared_norms(gradient, structure.scene, structure.scenes)
        direction = gradient + _divide(squared, previous)[structure.scene].unsqueeze(1) * direction
    return size * x


def _squared_norms(
    x: Float[Tensor, "object attribute"], scene: Int[Tensor, " object"], scenes: int
) -> Float[Tensor, " scene"]:
    return x.new_zeros(scenes).index_add_(0, scene, x.square().sum(1))


def _divide(a: Float[Tensor, " scene"], b: Float[Tensor, " scene"]) -> Float[Tensor, " scene"]:
    """A / b, and 0 where b is 0."""
    return torch.where(b > 0, a / b, 0)
