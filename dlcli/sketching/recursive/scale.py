"""Scaling of sketches: as in the paper, or isometric (norms independent of depth)."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Scale = Literal["paper", "isometric"]

GAIN: dict[str, float] = {"paper": 0.5, "isometric": 0.5**0.5}
"""The factor in T = gain (I + R) and of the two parts of a pair; 1/2 in the paper."""


def scaled(weight: Float[Tensor, " edge"], scale: Scale) -> Float[Tensor, " edge"]:
    """Coefficient of a child: its weight, or with isometric scaling the square root of it."""
    return weight if scale == "paper" else weight.sqrt()
