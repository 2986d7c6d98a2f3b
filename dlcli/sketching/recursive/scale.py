"""How a sketch is scaled: as in the paper, or so that lengths do not shrink with depth."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

Scale = Literal["paper", "isometric"]

GAIN: dict[str, float] = {"paper": 0.5, "isometric": 0.5**0.5}
"""What stands where the paper has a half: T = gain (I + R), and the two halves of a pair."""


def scaled(weight: Float[Tensor, " edge"], scale: Scale) -> Float[Tensor, " edge"]:
    """What a child is multiplied by: its weight, or the root of it, whose squares sum to 1."""
    return weight if scale == "paper" else weight.sqrt()
