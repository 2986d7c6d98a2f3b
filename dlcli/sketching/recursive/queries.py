"""Questions to sketches that need the matrices alone, not what the scenes were made of."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.linear_map import check_width
from dlcli.sketching.recursive.matrices import Matrices


def signature(
    sketches: Float[Tensor, "scene kept"], matrices: Matrices, module: str, *, rate: float
) -> Float[Tensor, " scene"]:
    """The sum of the effective weights of a module's objects (of their roots, with isometric scaling).

    Args:
        rate: the coefficient of a weight of 1 at the depth of the module, `recursive.rate`.
    """
    mark = matrices.mark(module)[: sketches.shape[1]].to(sketches.dtype)
    return sketches @ mark * (matrices.dimension / sketches.shape[1] / rate)


def attribute(
    sketches: Float[Tensor, "scene kept"], matrices: Matrices, module: str, *, width: int, rate: float
) -> Float[Tensor, "scene attribute"]:
    """The sum of the attributes of a module's objects, each times its effective weight (or the root of it)."""
    check_width(width, matrices)
    read = matrices.attribute(module).adjoint(sketches)[:, :width]
    return read * (matrices.dimension / sketches.shape[1] / rate)


def count_and_mean(
    sketches: Float[Tensor, "scene kept"], matrices: Matrices, module: str, *, width: int, coefficient: float
) -> tuple[Float[Tensor, " scene"], Float[Tensor, "scene attribute"]]:
    """How many objects of a module there are, and the mean of their attributes, where all have one coefficient.

    A sum of sketches answers for all its scenes together. Variances and histograms are the means of attributes that
    hold squares and bins. The mean is 0 where less than half an object is found.

    Args:
        coefficient: of one such object: `recursive.rate` of its depth times its effective weight (or the root of it).
    """
    count = signature(sketches, matrices, module, rate=coefficient)
    total = attribute(sketches, matrices, module, width=width, rate=coefficient)
    return count, torch.where(count > 0.5, 1 / count, 0).unsqueeze(1) * total


def similar(
    query: Float[Tensor, " dimension"], sketches: Float[Tensor, "scene dimension"], k: int
) -> tuple[Float[Tensor, " nearest"], Int[Tensor, " nearest"]]:
    """The k scenes with the greatest inner product with a sketch, and these products, greatest first."""
    return torch.mv(sketches, query).topk(min(k, len(sketches)))


def erase(sketches: Float[Tensor, "scene dimension"], keep: float) -> Float[Tensor, "scene kept"]:
    """The first values of each sketch, a share of them.

    Raises:
        UsageError: the share is not in (0, 1].
    """
    if not 0 < keep <= 1:
        raise UsageError(f"the share of a sketch that is kept is in (0, 1], not {keep:g}")
    return sketches[:, : max(1, round(keep * sketches.shape[1]))]
