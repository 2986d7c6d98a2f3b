"""Convolutional network of the Nature DQN, for stacked game frames."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.population import Stacked
from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least, each_at_least
from dlcli.nn.shapes import image_shape

Padding = Callable[[int, int, int], tuple[int, int]]
"""(length, kernel, stride) -> zeros before and after."""

_KERNELS, _STRIDES = (8, 4, 3), (4, 2, 1)


def valid_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """No padding (VALID in TensorFlow)."""
    return 0, 0


def same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding for an output of ceil(length / stride); an odd zero comes last (SAME in TensorFlow)."""
    zeros = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return zeros // 2, zeros - zeros // 2


class NatureCNN(nn.Module):
    """Convolutions 8x8/4, 4x4/2, 3x3/1, one dense layer and a linear output, with ReLUs.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        padding: of every convolution, in height and width.
        channels: output channels of the three convolutions.
        hidden: units of the dense layer.
        model_name: for error messages.

    Raises:
        UsageError: a value is smaller than 1, or the number of channels is not three.
        Mismatch: the input is not an image or too small, or the target has several positions.
    """

    def __init__(self, spec: Spec, padding: Padding, *, channels: Sequence[int], hidden: int, model_name: str) -> None:
        super().__init__()
        shape = image_shape(spec, model_name)
        at_least(1, hidden=hidden)
        each_at_least(1, "channels", channels)
        if len(channels) != len(_KERNELS):
            must = f"a list of {len(_KERNELS)} widths"
            raise UsageError("invalid_value", key="model.channels", must=must, got=list(channels))
        convolutions: list[nn.Module] = []
        self._asymmetric: list[tuple[int, ...]] = []  # padding that nn.Conv2d cannot express
        inputs, *lengths = shape
        for width, kernel, stride in zip(channels, _KERNELS, _STRIDES, strict=True):
            (top, bottom), (left, right) = (padding(length, kernel, stride) for length in lengths)
            lengths = [
                (lengths[0] + top + bottom - kernel) // stride + 1,
                (lengths[1] + left + right - kernel) // stride + 1,
            ]
            symmetric = top == bottom and left == right
            convolutions.append(nn.Conv2d(inputs, width, kernel, stride, padding=(top, left) if symmetric else 0))
            self._asymmetric.append(() if symmetric else (left, right, top, bottom))
            inputs = width
        if min(lengths) < 1:
            raise Mismatch("mismatch", subject=model_name, requirement="a larger image", got=spec)
        self.convolutions = nn.ModuleList(convolutions)
        self.hidden = nn.Linear(inputs * lengths[0] * lengths[1], hidden)
        self.head = nn.Linear(hidden, spec.target.width)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        for zeros, convolution in zip(self._asymmetric, self.convolutions, strict=True):
            x = torch.relu(convolution(F.pad(x, zeros) if zeros else x))
        return self.head(torch.relu(self.hidden(x.flatten(1))))

    def batched_forward(self, parameters: Stacked, x: Tensor) -> Tensor:
        """Forward pass of a population: [individual, row, *input] to [individual, row, unit].

        Individuals are computed one after another: the time is spent on reading weights, of which none are shared, and
            `vmap`
        selects another convolution for a population of one, so that the last bits would depend on the population size.
        """
        individuals = [{name: value[index] for name, value in parameters.items()} for index in range(len(x))]
        return torch.stack(
            [functional_call(self, weights, (rows,)) for weights, rows in zip(individuals, x, strict=True)]
        )
