"""Temporal convolutional network.

Signals are (batch, channel, 1, time) with channels contiguous in memory: 2-D convolutions over a height of one are
faster in this layout than 1-D convolutions, and no layer has to copy its input. `channels_last` creates the layout.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from dlcli.core.errors import UsageError
from dlcli.core.spec import Spec
from dlcli.core.task import Carry
from dlcli.nn.checks import at_least, probability
from dlcli.nn.sequence_io import InputStem, OutputHead, tied_embedding

Signal = Float[Tensor, "batch channel 1 time"]
Past = tuple[Tensor, Tensor]
"""Last inputs of the two convolutions of a block, each (batch, channel, 1, reach)."""

_DROPOUT = {"element": nn.Dropout, "channel": nn.Dropout2d}


class TCN(nn.Module):
    """Temporal convolutional network: dilated causal residual blocks; the dilation doubles from block to block.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 3. Differs: shortcuts and the output matrix are
    initialized from N(0, 0.01), all other weights with PyTorch's defaults; this is the effective initialization of the
    authors' code, where weight normalization overwrites the N(0, 0.01) of the convolutions. With one output per
    sequence only the values on which the last step depends are computed, which changes neither output nor gradient.

    Args:
        spec: one Real input (channel, time) or tokens (time); target with one value per sequence or per step.
        channels: width of each block; the receptive field is 1 + 2 (kernel_size - 1)(2**len(channels) - 1) steps.
        kernel_size: taps of a convolution, at least 2.
        dropout: probability in [0, 1), in every block.
        noise: unit of dropout: "element" as in the authors' code, or "channel" for whole channels of a sequence.
        embedding: width of the token embedding; unused for real inputs.
        embedding_dropout: probability in [0, 1) that a component of an embedded token is zeroed.
        tied: share the embedding matrix with the output layer; requires channels[-1] = embedding.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is neither (channel, time) nor tokens, or the target has more than one axis of positions.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        channels: Sequence[int],
        kernel_size: int,
        dropout: float,
        noise: str,
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            must = "a non-empty list of widths of at least 1"
            raise UsageError("invalid_value", key="model.channels", must=must, got=list(channels))
        if noise not in _DROPOUT:
            raise UsageError("invalid_value", key="model.noise", must=" or ".join(_DROPOUT), got=noise)
        at_least(2, kernel_size=kernel_size)
        probability("model.dropout", dropout)
        self.front = InputStem(spec, embedding=embedding, dropout=embedding_dropout, model_name="TCN")
        blocks = nn.ModuleList(
            CausalBlock(
                inputs, width, kernel_size=kernel_size, dilation=2**level, noise=lambda: _DROPOUT[noise](dropout)
            )
            for level, (inputs, width) in enumerate(pairwise((self.front.width, *channels)))
        )
        self.blocks = cast(Sequence[CausalBlock], blocks)
        self.head = OutputHead(channels[-1], spec, tied=tied_embedding(self.front, tied))
        nn.init.normal_(self.head.linear.weight, std=0.01)
        self.kernel_size = kernel_size

    @property
    def receptive_field(self) -> int:
        """Number of steps, including the present one, on which an output depends."""
        return 1 + 2 * (self.kernel_size - 1) * (2 ** len(self.blocks) - 1)

    def forward(
        self, x: Shaped[Tensor, "batch *channel time"], carry: Carry = None
    ) -> Float[Tensor, "batch unit *time"] | tuple[Float[Tensor, "batch unit *time"], Carry]:
        x = channels_last(self.front(x))
        if carry is not None:
            x, carry = self._stream(x, carry)
            return self.head(x.squeeze(2)), carry
        x = self.features(x) if self.head.per_step else self._last_features(x)
        return self.head(x.squeeze(2))

    def features(self, x: Signal) -> Float[Tensor, "batch width 1 time"]:
        """Output of the last block at every step."""
        for block in self.blocks:
            x = block(x)
        return x

    def _last_features(self, x: Signal) -> Float[Tensor, "batch width 1 1"]:
        """Last step of `features`: each block computes every 2nd, 4th, 8th ... step that the next block reads."""
        for block, count in zip(self.blocks, self._counts(x.shape[-1]), strict=True):
            x = block.thinned(x, count)
        return x

    def _counts(self, time: int) -> list[int]:
        """Number of outputs of each block, 2**(block number from 1) steps apart, that the last step depends on."""
        counts = [1]
        for level in range(len(self.blocks) - 1, 0, -1):
            reached = 2 * (counts[0] + self.kernel_size) - 3
            counts.insert(0, min(reached, 1 + (time - 1 >> level)))
        return counts

    def start(self, batch: int) -> tuple[Past, ...]:
        """Initial carry of `batch` sequences: the zeros before their first step."""
        return tuple(block.start(batch) for block in self.blocks)

    def _stream(self, x: Signal, carry: tuple[Past, ...]) -> tuple[Tensor, tuple[Past, ...]]:
        after = []
        for block, past in zip(self.blocks, carry, strict=True):
            x, past = block.stream(x, past)
            after.append(past)
        return x, tuple(after)


class CausalBlock(nn.Module):
    """Residual block: twice (causal convolution, ReLU, dropout), plus the shortcut, then ReLU.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 3 and figure 1(b).

    Args:
        inputs: input channels; the shortcut is a 1x1 convolution if they differ from `width`.
        width: output channels.
        kernel_size: taps of each convolution.
        dilation: steps between two taps.
        noise: factory of the dropout module.
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

    def _activate(self, x: Signal) -> Signal:
        return self.noise(F.relu(x, inplace=True))  # safe: x is the output of a convolution and has no other reader

    def forward(self, x: Signal) -> Float[Tensor, "batch width 1 time"]:
        h = self._activate(self.second(self._activate(self.first(x))))
        return (h + self.shortcut(x)).relu_()

    def start(self, batch: int) -> Past:
        """Inputs of the two convolutions before the first step: zeros."""
        like = self.second.taps.bias
        first, second = (
            like.new_zeros(batch, conv.taps.in_channels, 1, conv.reach) for conv in (self.first, self.second)
        )
        return first, second

    def stream(self, x: Signal, past: Past) -> tuple[Tensor, Past]:
        """Outputs of the steps that follow `past`, and the past of the steps after them."""
        h, first = self.first.stream(x, past[0])
        h, second = self.second.stream(self._activate(h), past[1])
        return (self._activate(h) + self.shortcut(x)).relu_(), (first, second)

    def thinned(self, x: Signal, count: int) -> Float[Tensor, "batch width 1 count"]:
        """Last `count` outputs, two apart, of a signal that contains every `dilation`-th step only."""
        # Each convolution pads with zeros before the first step; these are not outputs of the convolution before it,
        # so the intermediate signal is at most as long as x.
        middle = min(2 * (count - 1) + self.second.kernel_size, x.shape[-1])
        h = self._activate(self.second.thinned(self._activate(self.first.thinned(x, middle)), count, stride=2))
        return (h + self.shortcut(x[..., 1 - 2 * count :: 2])).relu_()


class CausalConv(nn.Module):
    """Weight-normalized causal convolution, zero-padded before the first step.

    Paper: weight normalization, Salimans & Kingma 2016, arXiv:1602.07868, equation 2, one scale per output channel.

    Args:
        inputs: input channels.
        width: output channels.
        kernel_size: taps.
        dilation: steps between two taps.
    """

    def __init__(self, inputs: int, width: int, *, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.taps = weight_norm(_TimeConv(inputs, width, (1, kernel_size)))
        self.kernel_size, self.dilation = kernel_size, dilation
        self.reach = (kernel_size - 1) * dilation

    def forward(self, x: Signal) -> Float[Tensor, "batch width 1 time"]:
        return self.taps(F.pad(x, (self.reach, 0)), dilation=self.dilation)

    def stream(self, x: Signal, past: Float[Tensor, "batch channel 1 reach"]) -> tuple[Tensor, Tensor]:
        """Outputs of the steps that follow the last `reach` inputs, and the last `reach` inputs after them."""
        inputs = torch.cat((past, x), -1)
        return self.taps(inputs, dilation=self.dilation), inputs[..., -self.reach :].clone()

    def thinned(self, x: Signal, count: int, *, stride: int = 1) -> Float[Tensor, "batch width 1 count"]:
        """Last `count` outputs, `stride` apart, of a signal that contains every `dilation`-th step only."""
        needed = stride * (count - 1) + self.kernel_size
        return self.taps(F.pad(x, (needed - x.shape[-1], 0)), stride=stride)  # a negative padding crops


class _TimeConv(nn.Conv2d):
    """Convolution along time whose stride and dilation are arguments of the call."""

    def forward(self, x: Signal, stride: int = 1, dilation: int = 1) -> Tensor:
        weight = self.weight.contiguous(memory_format=torch.channels_last)
        return F.conv2d(x, weight, self.bias, stride=(1, stride), dilation=(1, dilation))


def channels_last(x: Float[Tensor, "batch channel time"]) -> Float[Tensor, "batch channel 1 time"]:
    """Copy in channels-last layout; unlike `contiguous` it also marks a signal of a single channel as such."""
    return x.transpose(1, 2).clone(memory_format=torch.contiguous_format).transpose(1, 2).unsqueeze(2)
