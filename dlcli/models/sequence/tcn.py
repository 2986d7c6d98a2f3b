"""The temporal convolutional network."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.spec import Spec
from dlcli.core.task import Carry
from dlcli.models.sequence.tcn import CausalBlock, Past, Signal, channels_last
from dlcli.nn.sequence_io import InputStem, OutputHead
from dlcli.nn.checks import at_least, probability
from dlcli.nn.sequence_io import tied_embedding

_NOISE = {"element": nn.Dropout, "channel": nn.Dropout2d}


class TCN(nn.Module):
    """Temporal convolutional network: dilated causal residual blocks, the dilation doubling from each to the next.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 3. Differs: shortcuts and the output matrix start from
    N(0, 0.01), all other weights from PyTorch's defaults: that is what ran in the authors' code, where weight
    normalisation recomputed what N(0, 0.01) had been written to. For one answer a sequence only what can reach the
    last step is computed, which changes neither output nor gradient.

    Args:
        spec: one Real input (channel, time) or tokens (time); target one value a sequence, or one a step.
        channels: width of each block.
        kernel_size: taps of a convolution, at least 2.
        dropout: probability in [0, 1), in every block.
        noise: what dropout zeroes: each "element" as in the authors' code, or a "channel" of a sequence as a whole.
        embedding: width of a token's vector.
        embedding_dropout: probability that a component of a token's vector is zeroed.
        tied: the embedding is the output matrix as well; the last of `channels` is then `embedding`.

    Raises:
        UsageError: a value is out of its range.
        Mismatch: the input is neither of the two, or the target is neither.
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
        _check(channels, noise)
        at_least(2, kernel_size=kernel_size)
        probability("model.dropout", dropout)
        self.front = InputStem(spec, embedding=embedding, dropout=embedding_dropout, model_name="TCN")
        blocks = nn.ModuleList(
            CausalBlock(inputs, width, kernel_size=kernel_size, dilation=2**level, noise=lambda: _NOISE[noise](dropout))
            for level, (inputs, width) in enumerate(pairwise((self.front.width, *channels)))
        )
        self.blocks = cast(Sequence[CausalBlock], blocks)
        self.head = OutputHead(channels[-1], spec, tied=tied_embedding(self.front, tied))
        nn.init.normal_(self.head.linear.weight, std=0.01)
        self.kernel_size = kernel_size

    @property
    def receptive_field(self) -> int:
        """How many steps, the present one among them, an output depends on."""
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
        """What the blocks make of a signal at every step."""
        for block in self.blocks:
            x = block(x)
        return x

    def _last_features(self, x: Signal) -> Float[Tensor, "batch width 1 1"]:
        """The last step of `features`: each block computes every 2nd, 4th, 8th ... step that the next will look at."""
        for block, count in zip(self.blocks, self._counts(x.shape[-1]), strict=True):
            x = block.thinned(x, count)
        return x

    def _counts(self, time: int) -> list[int]:
        """How many outputs of each block, 2**(its number from 1) steps apart, can reach the last step."""
        counts = [1]
        for level in range(len(self.blocks) - 1, 0, -1):
            reached = 2 * (counts[0] + self.kernel_size) - 3
            counts.insert(0, min(reached, 1 + (time - 1 >> level)))
        return counts

    def start(self, batch: int) -> tuple[Past, ...]:
        """The carry of `batch` sequences that have seen nothing: the zeros before their first step."""
        return tuple(block.start(batch) for block in self.blocks)

    def _stream(self, x: Signal, carry: tuple[Past, ...]) -> tuple[Tensor, tuple[Past, ...]]:
        after = []
        for block, past in zip(self.blocks, carry, strict=True):
            x, past = block.stream(x, past)
            after.append(past)
        return x, tuple(after)


def _check(channels: Sequence[int], noise: str) -> None:
    if not channels or min(channels) < 1:
        raise UsageError(f"model.channels is one or more widths of at least 1, not {list(channels)}")
    if noise not in _NOISE:
        raise UsageError(f"model.noise is {' or '.join(_NOISE)}, not {noise}")
