"""The pooling network that Su's capsules are compared with."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least
from dlcli.nn.conv.su_trunk import SuTrunk


class SuPooling(nn.Module):
    """Convolutions, one value a channel, a layer of units, and scores.

    Su Jianlin's Keras code of the composite experiment: 276,810 parameters on MNIST. Differs: the maximum, too.

    Args:
        spec: one Real input (channel, height, width), lengths may be None; target of one position.
        channels: of the first two convolutions, and of the last two.
        pad: zeros around the image of each convolution.
        pooling: over all positions.
        dense: units before the scores.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is no image, or too small.
    """

    def __init__(
        self, spec: Spec, *, channels: Sequence[int], pad: int, pooling: Literal["average", "max"], dense: int
    ) -> None:
        super().__init__()
        at_least(1, dense=dense)
        self.trunk = SuTrunk(spec, channels=channels, pad=pad, model_name="SuPooling")
        self.pool = torch.mean if pooling == "average" else torch.amax
        self.dense = nn.Sequential(nn.Linear(self.trunk.width, dense), nn.ReLU(), nn.Linear(dense, spec.target.width))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        return self.dense(self.pool(self.trunk(x), dim=(2, 3)))
