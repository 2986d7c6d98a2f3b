"""Baseline predictors."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class ConstantOutput(nn.Module):
    """The same output for every sample.

    Args:
        values: output per unit.
        positions: lengths of the axes after the unit axis; None takes the length of the input's axis.
    """

    values: Tensor

    def __init__(self, values: Sequence[float], positions: Sequence[int | None] = ()) -> None:
        super().__init__()
        self.register_buffer("values", torch.tensor(list(values), dtype=torch.float32))
        self._positions = tuple(positions)

    def forward(self, *inputs: Tensor) -> Float[Tensor, "batch unit *position"]:
        x, axes = inputs[0], len(self._positions)
        lengths = tuple(x.shape[x.dim() - axes :])
        shape = tuple(
            length if position is None else position for position, length in zip(self._positions, lengths, strict=True)
        )
        values = self.values.to(x.device).view(1, -1, *[1] * axes)
        return values.expand(len(x), -1, *shape)
