"""Convolution over videos (batch, channel, time, height, width) that loads the weights of an image convolution."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import UsageError


class InflatedConv3d(nn.Conv3d):
    """3-D convolution that preserves the number of frames; the first and last frames are replicated as padding.

    `load_state_dict` also accepts the weights of a 2-D convolution: each temporal tap receives them divided by the
    number of taps, so that a video of identical frames yields the output of the 2-D convolution (inflation).

    Paper: Carreira & Zisserman 2017, arXiv:1705.07750, section 2.4. Differs: replicate padding in time, so that the
    equality holds for all frames; zero padding is usual.

    Args:
        inputs: input channels.
        width: output channels.
        kernel: (time, height, width); the temporal size is odd.
        stride: over height and width.

    Raises:
        UsageError: the temporal kernel size is even or smaller than 1.
    """

    def __init__(self, inputs: int, width: int, kernel: tuple[int, int, int], stride: int) -> None:
        steps, size, _ = kernel
        if steps < 1 or steps % 2 == 0:
            raise UsageError("invalid_value", key="model.temporal", must="an odd integer of at least 1", got=steps)
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
