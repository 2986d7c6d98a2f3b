"""Contribution of an object's attributes x and signature: (I + R_{M,0}) (I + R_0) (R_{M,1} x + σ R_{M,2} e₁)."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.operators import Operator

Through = Literal["both", "matrix"]
Map = Callable[[Tensor], Tensor]


def object_map(module: str, objects: int, matrices: Matrices, like: Float[Tensor, "row value"]) -> Map:
    """The linear map from rows (x, σ) of objects of a module to their contributions.

    Args:
        module: name of the module.
        objects: number of rows; if it exceeds their width, the map is materialized as a matrix.
        matrices: random matrices.
        like: rows of the same width, dtype and device.
    """
    if objects <= like.shape[1]:
        return partial(_apply, module=module, matrices=matrices)
    matrix = _apply(torch.eye(like.shape[1], dtype=like.dtype, device=like.device), module, matrices)
    return lambda values: values @ matrix


def object_map_adjoint(
    module: str, objects: int, matrices: Matrices, through: Through, like: Float[Tensor, "row attribute"]
) -> Map:
    """Adjoint of `object_map` for attributes; the arguments are the same."""
    width = like.shape[1]
    if objects > width:
        columns = matrices.attribute(module).apply(torch.eye(width, dtype=like.dtype, device=like.device))
        for operator in (matrices.position(0), matrices.object(module)):
            columns = apply_plus_identity(operator, columns) if through == "both" else operator.apply(columns)
        return lambda vectors: vectors @ columns.T

    return partial(_adjoint, module=module, matrices=matrices, through=through, width=width)


def _apply(values: Float[Tensor, "object value"], module: str, matrices: Matrices) -> Float[Tensor, "object dimension"]:
    signature = torch.outer(values[:, -1], matrices.signature_vector(module).to(values.dtype))
    own = matrices.attribute(module).apply(values[:, :-1]).add_(signature)
    return apply_plus_identity(matrices.object(module), apply_plus_identity(matrices.position(0), own))


def _adjoint(
    vectors: Float[Tensor, "object dimension"], module: str, matrices: Matrices, through: Through, width: int
) -> Float[Tensor, "object width"]:
    own = adjoint_plus_identity(matrices.object(module), vectors, through)
    own = adjoint_plus_identity(matrices.position(0), own, through)
    return matrices.attribute(module).adjoint(own)[:, :width]


def apply_plus_identity(operator: Operator, x: Tensor) -> Tensor:
    """(I + R) x. The gain of T = gain (I + R) is applied to attributes and weights instead."""
    return operator.apply(x).add_(x)


def adjoint_plus_identity(operator: Operator, y: Tensor, through: Through) -> Tensor:
    """(I + Rᵀ) y if through is "both", otherwise Rᵀ y."""
    product = operator.adjoint(y)
    return product.add_(y) if through == "both" else product
