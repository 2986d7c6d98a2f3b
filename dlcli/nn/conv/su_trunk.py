"""Convolutional trunk of the two networks of Su's composite-digit experiment."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least, each_at_least
from dlcli.nn.shapes import flexible_image_shape


class SuTrunk(nn.Module):
    """Two 3x3 convolutions, 2x2 average pooling, two 3x3 convolutions, each with ReLU; images of any size.

    Source: Su Jianlin's Keras code of the composite-digit experiment.

    Args:
        spec: one Real input (channel, height, width), lengths may be None; target of one position.
        channels: output channels of the first and of the last two convolutions.
        pad: zero padding of each convolution; 0 in the published code.
        model_name: for error messages.

    Raises:
        UsageError: a value is out of range, or the number of channels is not two.
        Mismatch: the input is not an image or too small.
    """

    def __init__(self, spec: Spec, *, channels: Sequence[int], pad: int, model_name: str) -> None:
        super().__init__()
        at_least(0, pad=pad)
        each_at_least(1, "channels", channels)
        if len(channels) != 2:
            raise UsageError("invalid_value", key="model.channels", must="a list of 2 widths", got=list(channels))
        inputs, *sides = flexible_image_shape(spec, model_name)
        lost = 4 - 4 * pad  # pixels a side lost by two convolutions
        for side in sides:
            if side is not None and (side - lost) // 2 - lost < 1:
                raise Mismatch(
                    "mismatch",
                    subject=f"{model_name} with model.pad={pad}",
                    requirement="a larger image",
                    got=spec,
                    hint=None if pad else "for small images: model.pad=1",
                )
        first_width, self.width = channels
        self.layers = nn.Sequential(
            *(nn.Conv2d(inputs, first_width, 3, padding=pad), nn.ReLU()),
            *(nn.Conv2d(first_width, first_width, 3, padding=pad), nn.ReLU()),
            nn.AvgPool2d(2),
            *(nn.Conv2d(first_width, self.width, 3, padding=pad), nn.ReLU()),
            *(nn.Conv2d(self.width, self.width, 3, padding=pad), nn.ReLU()),
        )

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit high wide"]:
        return self.layers(x)
