"""A text as parallel streams of windows: what a batch reads and what it is scored on."""

import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.core.spec import IGNORED


class Streams:
    """Consecutive windows over a text, dealt out to parallel streams.

    Window k is scored on the successors of tokens k * length to (k + 1) * length - 1, and reads up to
    `context` tokens before them. Each stream owns a run of consecutive windows, and batch i has window i of
    every stream: a state handed from batch to batch follows the text. In one pass every token but the first
    is scored exactly once. What a window reads beyond the end of the text is its last token again, after
    everything that counts.

    Args:
        tokens: the text, two tokens at least.
        streams: how many run in parallel; fewer when there are not enough windows.
        context: tokens read before those that are scored.
        length: tokens scored in a window.
    """

    def __init__(self, tokens: Int[Tensor, " time"], *, streams: int, context: int, length: int) -> None:
        self.tokens, self.context, self.length = tokens, context, length
        self.windows = -(-(len(tokens) - 1) // length)
        self.size = -(-self.windows // streams)
        self.streams = -(-self.windows // self.size)

    def window(self, place: int) -> tuple[Int[Tensor, " batch"], Int[Tensor, "batch time"], Int[Tensor, "batch time"]]:
        """Numbers, inputs and targets of the streams' windows; targets that do not count are IGNORED."""
        device, last = self.tokens.device, len(self.tokens) - 2
        number = torch.arange(self.streams, device=device) * self.size + place
        begin = (number * self.length)[:, None]
        start = (begin - self.context).clamp(min=0)
        step = start + torch.arange(self.context + self.length, device=device)
        counted = (step >= begin) & (step < begin + self.length) & (step <= last)
        step = step.clamp(max=last)
        return number, self.tokens[step], self.tokens[step + 1].masked_fill(~counted, IGNORED)

    def to(self, device: torch.device) -> "Streams":
        self.tokens = self.tokens.to(device)
        return self
