"""Pooling network, the baseline of Su's capsule network."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least
from dlcli.nn.conv.su_trunk import SuTrunk


class SuPooling(nn.Module):
    """Convolutional trunk, global pooling, one dense layer and a linear output.

    Source: Su Jianlin's Keras code of the composite-digit experiment: 276,810 parameters on MNIST. Differs: max pooling
        is
    available, too.

    Args:
        spec: one Real input (channel, height, width), lengths may be None; target of one position.
        channels: output channels of the first and of the last two convolutions.
        pad: zero padding of each convolution.
        pooling: global "average" or "max" pooling.
        dense: units of the dense layer.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image or too small.
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
