"""The convolutions that both networks of Su's experiment read images with."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least
from dlcli.nn.shapes import flexible_image_shape


class SuTrunk(nn.Module):
    """Two convolutions of 3 x 3, averages of 2 x 2, two more convolutions; ReLU after each. Any height and width.

    Su Jianlin's Keras code of the composite experiment.

    Args:
        spec: one Real input (channel, height, width), lengths may be None; target of one position.
        channels: of the first two convolutions, and of the last two.
        pad: zeros around the image of each convolution; the published one has none.
        model_name: name of the model, for messages.

    Raises:
        UsageError: a number is out of range, or there are not two widths.
        Mismatch: the input is no image, or too small.
    """

    def __init__(self, spec: Spec, *, channels: Sequence[int], pad: int, model_name: str) -> None:
        super().__init__()
        at_least(0, pad=pad)
        at_least(1, **{f"channels.{place}": width for place, width in enumerate(channels)})
        if len(channels) != 2:
            raise UsageError(f"model.channels has 2 widths, not {len(channels)}")
        inputs, *sides = flexible_image_shape(spec, model_name)
        lost = 4 - 4 * pad  # by two convolutions
        for side in sides:
            if side is not None and (side - lost) // 2 - lost < 1:
                wanted = f"{model_name} with model.pad={pad} reads larger images than {spec.describe()}"
                raise Mismatch(wanted if pad else f"{wanted}\nfor small images: model.pad=1")
        few, self.width = channels
        self.layers = nn.Sequential(
            *(nn.Conv2d(inputs, few, 3, padding=pad), nn.ReLU()),
            *(nn.Conv2d(few, few, 3, padding=pad), nn.ReLU()),
            nn.AvgPool2d(2),
            *(nn.Conv2d(few, self.width, 3, padding=pad), nn.ReLU()),
            *(nn.Conv2d(self.width, self.width, 3, padding=pad), nn.ReLU()),
        )

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit high wide"]:
        return self.layers(x)
