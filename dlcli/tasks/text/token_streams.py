"""Parallel streams of windows over a text."""

import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.core.spec import IGNORED


class TokenStreams:
    """Consecutive windows over a text, distributed over parallel streams.

    Window k is scored on the successors of tokens k * length to (k + 1) * length - 1, and reads up to `context` tokens
    before them. Each stream consists of consecutive windows, and batch i contains window i of every stream, so that a
    state carried from batch to batch follows the text. In one pass every token except the first is scored exactly once.
    Windows beyond the end of the text are padded with its last token, after all scored positions.

    Args:
        tokens: the text, at least two tokens.
        streams: number of parallel streams; fewer if there are not enough windows.
        context: tokens before the scored ones.
        length: scored tokens per window.
    """

    def __init__(self, tokens: Int[Tensor, " time"], *, streams: int, context: int, length: int) -> None:
        self.tokens, self.context, self.length = tokens, context, length
        self.windows = -(-(len(tokens) - 1) // length)
        self.size = -(-self.windows // streams)
        self.streams = -(-self.windows // self.size)

    def window(
        self, position: int
    ) -> tuple[Int[Tensor, " batch"], Int[Tensor, "batch time"], Int[Tensor, "batch time"]]:
        """Numbers, inputs and targets of the windows at a position of all streams; unscored targets are IGNORED."""
        device, last = self.tokens.device, len(self.tokens) - 2
        number = torch.arange(self.streams, device=device) * self.size + position
        begin = (number * self.length)[:, None]
        start = (begin - self.context).clamp(min=0)
        step = start + torch.arange(self.context + self.length, device=device)
        counted = (step >= begin) & (step < begin + self.length) & (step <= last)
        step = step.clamp(max=last)
        return number, self.tokens[step], self.tokens[step + 1].masked_fill(~counted, IGNORED)

    def to(self, device: torch.device) -> "TokenStreams":
        self.tokens = self.tokens.to(device)
        return self
