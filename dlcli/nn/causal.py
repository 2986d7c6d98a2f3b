"""Dilated causal convolutions over time, and the residual block of two of them.

Signals are (batch, channel, 1, time), the channels beside each other in memory: 2-D convolutions over a height of one
are faster in this layout than 1-D ones, and no layer has to reorder its input. `channels_last` makes it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

Signal = Float[Tensor, "batch channel 1 time"]
Past = tuple[Tensor, Tensor]
"""The last inputs of a block's two convolutions, each (batch, channel, 1, reach)."""


def channels_last(x: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch channel 1 time"]:
    """A copy in the layout of the convolutions; unlike `contiguous` it also marks a single channel so."""
    return x.transpose(1, 2).clone(memory_format=torch.contiguous_format).transpose(1, 2).unsqueeze(2)


class _Taps(nn.Conv2d):
    """A convolution along time, told with each call how far its taps and its outputs are apart."""

    def forward(self, x: Signal, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = self.weight.contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, weight, self.bias, stride=(1, stride), dilation=(1, dilation))


class CausalConv(nn.Module):
    """A weight-normalised convolution that sees the past only: zeros stand before the first step.

    Paper: weight normalisation, Salimans & Kingma 2016, arXiv:1602.07868, equation 2, one scale an output channel.

    Args:
        inputs: channels that come in.
        width: channels that go out.
        kernel_size: taps.
        dilation: steps between two taps.
    """

    def __init__(self, inputs: int, width: int, *, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.taps = weight_norm(_Taps(inputs, width, (1, kernel_size)))
        self.kernel_size, self.dilation = kernel_size, dilation
        self.reach = (kernel_size - 1) * dilation

    def forward(self, x: Signal) -> Float[Tensor, "batch width 1 time"]:
        return self.taps(F.pad(x, (self.reach, 0)), dilation=self.dilation)

    def stream(self, x: Signal, past: Float[Tensor, "batch channel 1 reach"]) -> tuple[Tensor, Tensor]:
        """The outputs of steps that follow the last `reach` inputs, and the last `reach` inputs after them."""
        seen = torch.cat((past, x), -1)
        return self.taps(seen, dilation=self.dilation), seen[..., -self.reach :].clone()

    def thinned(self, x: Signal, count: int, *, stride: int = 1) -> Float[Tensor, "batch width 1 count"]:
        """The last `count` outputs, `stride` apart, of a signal that holds every `dilation`-th step only."""
        needed = stride * (count - 1) + self.kernel_size
        return self.taps(F.pad(x, (needed - x.shape[-1], 0)), stride=stride)  # a negative pad crops


class CausalBlock(nn.Module):
    """Two causal convolutions, each followed by ReLU and noise; the input is added, and a last ReLU.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 3 and figure 1(b).

    Args:
        inputs: channels that come in; a 1x1 convolution takes them to the sum when there are not `width`.
        width: channels that go out.
        kernel_size: taps of each convolution.
        dilation: steps between two taps.
        noise: makes the dropout.
    """

    def __init__(
        self, inputs: int, width: int, *, kernel_size: int, dilation: int, noise: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.first = CausalConv(inputs, width, kernel_size=kernel_size, dilation=dilation)
        self.second = CausalConv(width, width, kernel_size=kernel_size, dilation=dilation)
        self.noise = noise()
        self.shortcut: nn.Module = nn.Identity()
        if inputs != width:
            self.shortcut = nn.Conv2d(inputs, width, 1)
            nn.init.normal_(self.shortcut.weight, std=0.01)

    def _active(self, x: Signal) -> Signal:
        return self.noise(F.relu(x, inplace=True))  # x is a convolution's own output: nobody else reads it

    def forward(self, x: Signal) -> Float[Tensor, "batch width 1 time"]:
        h = self._active(self.second(self._active(self.first(x))))
        return (h + self.shortcut(x)).relu_()

    def start(self, batch: int) -> Past:
        """What the two convolutions have seen before the first step: zeros."""
        like = self.second.taps.bias
        first, second = (
            like.new_zeros(batch, conv.taps.in_channels, 1, conv.reach) for conv in (self.first, self.second)
        )
        return first, second

    def stream(self, x: Signal, past: Past) -> tuple[Tensor, Past]:
        """The outputs of the steps that follow `past`, and the past of the steps after them."""
        h, first = self.first.stream(x, past[0])
        h, second = self.second.stream(self._active(h), past[1])
        return (self._active(h) + self.shortcut(x)).relu_(), (first, second)

    def thinned(self, x: Signal, count: int) -> Float[Tensor, "batch width 1 count"]:
        """The last `count` outputs, two apart, of a signal that holds every `dilation`-th step only."""
        # Steps before the first are zeros for each convolution, not outputs of the one before: so at most x's length.
        middle = min(2 * (count - 1) + self.second.kernel_size, x.shape[-1])
        h = self._active(self.second.thinned(self._active(self.first.thinned(x, middle)), count, stride=2))
        return (h + self.shortcut(x[..., 1 - 2 * count :: 2])).relu_()
