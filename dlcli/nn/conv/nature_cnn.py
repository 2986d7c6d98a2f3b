"""Three convolutions and two layers of units: the networks that read the screens of games."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.population import Stacked
from dlcli.core.spec import Spec
from dlcli.nn.checks import at_least
from dlcli.nn.shapes import image_shape

Padding = Callable[[int, int, int], tuple[int, int]]
"""From (length, kernel, stride) to the zeros before and after."""

_KERNELS, _STRIDES = (8, 4, 3), (4, 2, 1)


def valid_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """None: the kernel stays inside."""
    return 0, 0


def same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """As many that there are ceil(length / stride) places; an odd one more comes after, as in TensorFlow."""
    zeros = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return zeros // 2, zeros - zeros // 2


class NatureCNN(nn.Module):
    """Convolutions of 8, 4 and 3 pixels, 4, 2 and 1 apart, a layer of units, the answer; ReLU between all.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        padding: of every convolution, in height and width.
        channels: of the three convolutions.
        hidden: units before the answer.
        model_name: name of the model, for messages.

    Raises:
        UsageError: a number is below 1, or there are not three convolutions.
        Mismatch: the input is no image, too small a one, or the target has several positions.
    """

    def __init__(self, spec: Spec, padding: Padding, *, channels: Sequence[int], hidden: int, model_name: str) -> None:
        super().__init__()
        shape = image_shape(spec, model_name)
        at_least(1, hidden=hidden, **{f"channels.{place}": width for place, width in enumerate(channels)})
        if len(channels) != len(_KERNELS):
            raise UsageError(f"model.channels has {len(_KERNELS)} widths, not {len(channels)}")
        convolutions: list[nn.Module] = []
        self._uneven: list[tuple[int, ...]] = []  # zeros that a convolution does not put there itself
        inputs, *lengths = shape
        for width, kernel, stride in zip(channels, _KERNELS, _STRIDES, strict=True):
            (top, bottom), (left, right) = (padding(length, kernel, stride) for length in lengths)
            lengths = [
                (lengths[0] + top + bottom - kernel) // stride + 1,
                (lengths[1] + left + right - kernel) // stride + 1,
            ]
            even = top == bottom and left == right
            convolutions.append(nn.Conv2d(inputs, width, kernel, stride, padding=(top, left) if even else 0))
            self._uneven.append(() if even else (left, right, top, bottom))
            inputs = width
        if min(lengths) < 1:
            raise Mismatch(f"{model_name} reads larger images than {spec.describe()}")
        self.convolutions = nn.ModuleList(convolutions)
        self.hidden = nn.Linear(inputs * lengths[0] * lengths[1], hidden)
        self.head = nn.Linear(hidden, spec.target.width)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        for zeros, convolution in zip(self._uneven, self.convolutions, strict=True):
            x = torch.relu(convolution(F.pad(x, zeros) if zeros else x))
        return self.head(torch.relu(self.hidden(x.flatten(1))))

    def batched_forward(self, parameters: Stacked, x: Tensor) -> Tensor:
        """[individual, row, *input] to [individual, row, unit].

        One individual after the other: there is nothing to share, as all the time goes into reading weights, and
        `vmap` takes another convolution for a single one, so that the last bits would depend on who else is there.
        """
        own = [{name: value[place] for name, value in parameters.items()} for place in range(len(x))]
        return torch.stack([functional_call(self, one, (seen,)) for one, seen in zip(own, x, strict=True)])
