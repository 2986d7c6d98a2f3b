"""The plain convolutional network."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import Norm
from dlcli.nn.checks import at_least, probability
from dlcli.nn.shapes import image_shape

_POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class CNN(nn.Module):
    """Convolutions that keep the size, each with a norm, ReLU and pooling; then layers of units, and scores.

    With channels 256, 256, 128, kernels of 5, no pooling and 328 and 192 units it is the baseline of CapsNet (Sabour,
    Frosst & Hinton 2017, arXiv:1710.09829, section 5): 35.4 million parameters on MNIST.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        channels: of each convolution.
        kernel_size: of all of them; what lies outside of the image is 0.
        pool: pixels a side that become one after each convolution, as many as convolutions; 1 pools nothing.
        pooling: what becomes of them.
        dense: units of each layer after the convolutions.
        dropout: probability in [0, 1), before the scores.
        norm: after each convolution, before ReLU.

    Raises:
        UsageError: a number is out of range, or `pool` is not as long as `channels`.
        Mismatch: the input is no image, or too small for so much pooling.
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
        norm: Norm,
    ) -> None:
        super().__init__()
        at_least(1, kernel_size=kernel_size)
        for name, numbers in (("channels", channels), ("pool", pool), ("dense", dense)):
            at_least(1, **{f"{name}.{place}": number for place, number in enumerate(numbers)})
        if len(pool) != len(channels):
            raise UsageError(f"model.pool has one number a convolution: {len(channels)}, not {len(pool)}")
        inputs, height, width = image_shape(spec, "CNN")
        layers: list[nn.Module] = []
        for before, after, side in zip((inputs, *channels), channels, pool, strict=False):
            layers += [nn.Conv2d(before, after, kernel_size, padding="same"), norm(after), nn.ReLU()]
            layers += [_POOLINGS[pooling](side)] if side > 1 else []
            height, width = height // side, width // side
        if not height * width:
            raise Mismatch(f"CNN pools {spec.describe()} to nothing: model.pool={list(pool)} is too much for it")
        self.convolutions = nn.Sequential(*layers)
        widths = [(*channels[-1:], inputs)[0] * height * width, *dense]
        units = [part for ends in pairwise(widths) for part in (nn.Linear(*ends), nn.ReLU())]
        noise = nn.Dropout(probability("model.dropout", dropout))
        self.dense = nn.Sequential(nn.Flatten(), *units, noise, nn.Linear(widths[-1], spec.target.width))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        return self.dense(self.convolutions(x))
