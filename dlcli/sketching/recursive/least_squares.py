"""All attributes of a scene at once, as the solution of a linear system that is never written down."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.sketching.recursive.linear_map import down, up
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Structure
from dlcli.sketching.recursive.paths import squared_norms
from dlcli.sketching.recursive.scale import Scale

_LOOKS = 8  # iterations between looks at whether all scenes are done


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
    """The attributes whose sketch is nearest: conjugate gradients on the normal equations, all scenes side by side.

    Hestenes & Stiefel 1952, section 10. Columns are scaled to their expected length, without which deep objects would
    take hundreds of iterations more; the signatures are known with the structure and are taken away first. Not in the
    paper. It is exact where the attributes of a scene are well below what was kept of the dimension.

    Args:
        iterations: at most.
        tolerance: of the gradient, as a share of the first.
    """
    kept, objects, dtype = sketches.shape[1], len(structure.module), sketches.dtype
    norms = squared_norms(structure, scale).to(dtype) * (kept / matrices.dimension)
    size = torch.where(norms > 0, norms.rsqrt(), 0).unsqueeze(1)
    nothing, none = sketches.new_zeros(objects, width), sketches.new_zeros(objects)

    def forward(x: Tensor) -> Tensor:
        return up(structure, size * x, none, matrices, scale)[:, :kept]

    def backward(y: Tensor) -> Tensor:
        return size * down(y, structure, matrices, scale, width)

    rest = sketches - up(structure, nothing, none + 1, matrices, scale)[:, :kept]
    x, gradient = nothing.clone(), backward(rest)
    direction, now = gradient, _squares(gradient, structure.scene, structure.scenes)
    enough = now * max(tolerance, 4 * torch.finfo(dtype).eps) ** 2
    for iteration in range(iterations):
        if iteration % _LOOKS == 0 and bool((now <= enough).all()):
            break
        moved = forward(direction)
        step = torch.where(now > enough, _over(now, moved.square().sum(1)), 0)  # beyond it, rounding errors would grow
        x += step[structure.scene].unsqueeze(1) * direction
        rest = rest - step.unsqueeze(1) * moved
        gradient = backward(rest)
        before, now = now, _squares(gradient, structure.scene, structure.scenes)
        direction = gradient + _over(now, before)[structure.scene].unsqueeze(1) * direction
    return size * x


def _squares(
    x: Float[Tensor, "object attribute"], scene: Int[Tensor, " object"], scenes: int
) -> Float[Tensor, " scene"]:
    return x.new_zeros(scenes).index_add_(0, scene, x.square().sum(1))


def _over(a: Float[Tensor, " scene"], b: Float[Tensor, " scene"]) -> Float[Tensor, " scene"]:
    """a / b, and 0 where there is nothing left."""
    return torch.where(b > 0, a / b, 0)
