"""Plain convolutional network."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least, each_at_least, probability
from dlcli.nn.conv.blocks import NORMS
from dlcli.nn.shapes import image_shape

_POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class CNN(nn.Module):
    """Same-padded convolutions, each with normalization, ReLU and pooling, then dense layers and a linear output.

    With channels 256, 256, 128, kernel size 5, no pooling and 328 and 192 dense units it is the baseline of CapsNet
    (Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 5): 35.4 million parameters on MNIST.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        channels: output channels of each convolution.
        kernel_size: of all convolutions, zero-padded.
        pool: pooling window and stride after each convolution, one per convolution; 1 for no pooling.
        pooling: "max" or "average".
        dense: units of each hidden dense layer.
        dropout: probability in [0, 1), before the output layer.
        norm: normalization between convolution and ReLU: "batch" or "none".

    Raises:
        UsageError: a hyper-parameter is out of range, or `pool` and `channels` differ in length.
        Mismatch: the input is not an image, or too small for the poolings.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        channels: Sequence[int],
        kernel_size: int,
        pool: Sequence[int],
        pooling: Literal["max", "average"],
        dense: Sequence[int],
        dropout: float,
        norm: Literal["batch", "none"],
    ) -> None:
        super().__init__()
        at_least(1, kernel_size=kernel_size)
        for name, values in (("channels", channels), ("pool", pool), ("dense", dense)):
            each_at_least(1, name, values)
        if len(pool) != len(channels):
            must = f"a list of {len(channels)} values, one per convolution"
            raise UsageError("invalid_value", key="model.pool", must=must, got=list(pool))
        inputs, height, width = image_shape(spec, "CNN")
        layers: list[nn.Module] = []
        for fan_in, width_out, side in zip((inputs, *channels), channels, pool, strict=False):
            layers += [nn.Conv2d(fan_in, width_out, kernel_size, padding="same"), NORMS[norm](width_out), nn.ReLU()]
            layers += [_POOLINGS[pooling](side)] if side > 1 else []
            height, width = height // side, width // side
        if not height * width:
            subject = f"CNN with model.pool={list(pool)}"
            raise Mismatch("mismatch", subject=subject, requirement="a larger image", got=spec)
        self.convolutions = nn.Sequential(*layers)
        widths = [(*channels[-1:], inputs)[0] * height * width, *dense]
        units = [part for ends in pairwise(widths) for part in (nn.Linear(*ends), nn.ReLU())]
        noise = nn.Dropout(probability("model.dropout", dropout))
        self.dense = nn.Sequential(nn.Flatten(), *units, noise, nn.Linear(widths[-1], spec.target.width))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        return self.dense(self.convolutions(x))
