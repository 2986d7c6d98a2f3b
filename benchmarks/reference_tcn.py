"""The temporal convolutional network as it was published, step by step: what dlcli's is timed against."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class PlainConv(nn.Module):
    """A dilated convolution padded on both sides, of which the steps after the last are chopped off."""

    def __init__(self, inputs: int, width: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.surplus = (kernel_size - 1) * dilation
        self.taps = weight_norm(nn.Conv1d(inputs, width, kernel_size, padding=self.surplus, dilation=dilation))

    def forward(self, x: Tensor) -> Tensor:
        return self.taps(x)[:, :, : -self.surplus].contiguous()


class PlainBlock(nn.Module):
    """Paper: Bai, Kolter & Koltun 2018, figure 1(b)."""

    def __init__(self, inputs: int, width: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.first = PlainConv(inputs, width, kernel_size, dilation)
        self.second = PlainConv(width, width, kernel_size, dilation)
        self.shortcut = nn.Conv1d(inputs, width, 1) if inputs != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.second(torch.relu(self.first(x))))
        return torch.relu(h + self.shortcut(x))


class PlainTCN(nn.Module):
    """Every level on all steps, then the head, at every step or at the last one. Dropout is left out."""

    def __init__(self, inputs: int, units: int, channels: Sequence[int], kernel_size: int, *, per_step: bool) -> None:
        super().__init__()
        widths = (inputs, *channels)
        self.blocks = nn.Sequential(
            *(PlainBlock(widths[i], widths[i + 1], kernel_size, 2**i) for i in range(len(channels)))
        )
        self.head = nn.Linear(channels[-1], units)
        self.per_step = per_step

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        return self.head(x.transpose(1, 2)).transpose(1, 2) if self.per_step else self.head(x[:, :, -1])
