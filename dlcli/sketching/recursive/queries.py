"""Queries of sketches that require only the matrices, not the structure of the scenes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.linear_map import check_width
from dlcli.sketching.recursive.matrices import Matrices


def signature(
    sketches: Float[Tensor, "scene kept"], matrices: Matrices, module: str, *, rate: float
) -> Float[Tensor, " scene"]:
    """Sum of the effective weights of a module's objects; with isometric scaling, of their square roots.

    Args:
        sketches: complete or erased sketches.
        matrices: random matrices.
        module: name of the module.
        rate: coefficient of an object of weight 1 at the depth of the module, `sketch.rate`.
    """
    vector = matrices.signature_vector(module)[: sketches.shape[1]].to(sketches.dtype)
    return sketches @ vector * (matrices.dimension / sketches.shape[1] / rate)


def attribute(
    sketches: Float[Tensor, "scene kept"], matrices: Matrices, module: str, *, width: int, rate: float
) -> Float[Tensor, "scene attribute"]:
    """Sum of the attributes of a module's objects times their effective weights (or the square roots).

    Args:
        width: width of the attributes; the other arguments are those of `signature`.
    """
    check_width(width, matrices)
    projection = matrices.attribute(module).adjoint(sketches)[:, :width]
    return projection * (matrices.dimension / sketches.shape[1] / rate)


def count_and_mean(
    sketches: Float[Tensor, "scene kept"], matrices: Matrices, module: str, *, width: int, coefficient: float
) -> tuple[Float[Tensor, " scene"], Float[Tensor, "scene attribute"]]:
    """Count and mean attribute of a module's objects, all of which have the same coefficient.

    Applied to a sum of sketches, the result covers all its scenes. Variances and histograms are means of attributes
    that contain squares or bins. The mean is 0 if the count is below one half.

    Args:
        coefficient: coefficient of one object: `sketch.rate` of its depth times its effective weight (or the square
            root); the other arguments are those of `attribute`.
    """
    count = signature(sketches, matrices, module, rate=coefficient)
    total = attribute(sketches, matrices, module, width=width, rate=coefficient)
    return count, torch.where(count > 0.5, 1 / count, 0).unsqueeze(1) * total


def similar(
    query: Float[Tensor, " dimension"], sketches: Float[Tensor, "scene dimension"], k: int
) -> tuple[Float[Tensor, " nearest"], Int[Tensor, " nearest"]]:
    """The k largest inner products with a query sketch in descending order, and their scenes."""
    return torch.mv(sketches, query).topk(min(k, len(sketches)))


def erase(sketches: Float[Tensor, "scene dimension"], keep: float) -> Float[Tensor, "scene kept"]:
    """Keep the first fraction `keep` of the values of each sketch, at least one value.

    Raises:
        UsageError: the fraction is not in (0, 1].
    """
    if not 0 < keep <= 1:
        raise UsageError("invalid_value", key="keep", must="a fraction in (0, 1]", got=keep)
    return sketches[:, : max(1, round(keep * sketches.shape[1]))]
