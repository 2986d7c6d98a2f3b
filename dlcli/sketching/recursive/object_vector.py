"""What an object adds of its own, attributes and signature: (I + R_{M,0}) (I + R_0) (R_{M,1} x + σ R_{M,2} e₁)."""

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


def upward(module: str, objects: int, matrices: Matrices, like: Float[Tensor, "row value"]) -> Map:
    """From rows of attributes with σ behind them to what they add.

    Args:
        objects: how many rows there will be: for many, the whole map is written out as a matrix once.
        like: rows of the same width, type and device.
    """
    if objects <= like.shape[1]:
        return partial(_add, module=module, matrices=matrices)
    whole = _add(torch.eye(like.shape[1], dtype=like.dtype, device=like.device), module, matrices)
    return lambda values: values @ whole


def downward(
    module: str, objects: int, matrices: Matrices, through: Through, like: Float[Tensor, "row attribute"]
) -> Map:
    """The adjoint of `upward` for attributes."""
    width = like.shape[1]
    if objects > width:
        columns = matrices.attribute(module).apply(torch.eye(width, dtype=like.dtype, device=like.device))
        for operator in (matrices.position(0), matrices.object(module)):
            columns = forth(operator, columns) if through == "both" else operator.apply(columns)
        return lambda given: given @ columns.T

    return partial(_read, module=module, matrices=matrices, through=through, width=width)


def _add(values: Float[Tensor, "object value"], module: str, matrices: Matrices) -> Float[Tensor, "object dimension"]:
    mark = torch.outer(values[:, -1], matrices.mark(module).to(values.dtype))
    own = matrices.attribute(module).apply(values[:, :-1]).add_(mark)
    return forth(matrices.object(module), forth(matrices.position(0), own))


def _read(
    given: Float[Tensor, "object dimension"], module: str, matrices: Matrices, through: Through, width: int
) -> Float[Tensor, "object width"]:
    own = back(matrices.position(0), back(matrices.object(module), given, through), through)
    return matrices.attribute(module).adjoint(own)[:, :width]


def forth(operator: Operator, x: Tensor) -> Tensor:
    """(I + R) x: the gain of T waits, and is put to attributes and weights."""
    return operator.apply(x).add_(x)


def back(operator: Operator, y: Tensor, through: Through) -> Tensor:
    """(I + Rᵀ) y, or Rᵀ y."""
    turned = operator.adjoint(y)
    return turned.add_(y) if through == "both" else turned
