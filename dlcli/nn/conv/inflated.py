"""Convolutions over films (batch, channel, time, height, width)."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Real, Spec


class InflatedConv3d(nn.Conv3d):
    """A convolution that keeps every frame; before the first and after the last, those stand still.

    It also loads the weights of a convolution over images: every step of its kernel gets them, divided by the number of
    steps, so that of a film that stands still it makes what the other makes of the image.

    Paper: Carreira & Zisserman 2017, arXiv:1705.07750, section 2.4 (inflation). Differs: frames repeat at both ends, so
    that this holds for all frames, where zeros are usual.

    Args:
        inputs: channels that come in.
        width: channels that go out.
        kernel: steps (odd), pixels, pixels.
        stride: over height and width.

    Raises:
        UsageError: an even number of steps.
    """

    def __init__(self, inputs: int, width: int, kernel: tuple[int, int, int], stride: int) -> None:
        steps, size, _ = kernel
        if steps < 1 or steps % 2 == 0:
            raise UsageError(f"a kernel over time is odd and at least 1, not {steps}")
        super().__init__(inputs, width, kernel, (1, stride, stride), (0, size // 2, size // 2), bias=False)
        self.edge = steps // 2

    def forward(self, x: Float[Tensor, "batch channel time height width"]) -> Float[Tensor, "batch unit time *smaller"]:
        if self.edge:
            first, last = (part.expand(-1, -1, self.edge, -1, -1) for part in (x[:, :, :1], x[:, :, -1:]))
            x = torch.cat((first, x, last), 2)
        return super().forward(x)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        given = state_dict.get(f"{prefix}weight")
        if isinstance(given, Tensor) and given.dim() == 4:
            steps = self.kernel_size[0]
            inflated = given[:, :, None].expand(-1, -1, steps, -1, -1) / steps
            state_dict = {**state_dict, f"{prefix}weight": inflated}
        super()._load_from_state_dict(state_dict, prefix, *rest)


def video_shape(spec: Spec, model_name: str) -> tuple[int, int, int, int]:
    """(channel, time, height, width) of the one input.

    Args:
        model_name: name of the model, for messages.

    Raises:
        Mismatch: the input is no film of a known size, or the target has several positions.
    """
    (part, *more) = spec.inputs
    sizes = [length for length in part.shape if length is not None]
    if more or not isinstance(part, Real) or len(part.shape) != 4 or len(sizes) != 4:
        raise Mismatch(f"{model_name} reads one film (channel, time, height, width), not {spec.describe()}")
    if spec.target.positions:
        raise Mismatch(f"{model_name} answers once, not at every position: {spec.describe()}")
    channel, time, height, width = sizes
    return channel, time, height, width
