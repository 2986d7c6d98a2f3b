"""Characters or words, and their numbers."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.metric import Derived, Metric
from dlcli.core.option_checks import check_choice

UNKNOWN = "<unk>"
"""The token that stands for all others."""


@dataclass(frozen=True)
class Unit:
    """What a text is cut into.

    Args:
        split: the tokens of a text, given what a line's end becomes.
        glue: what stands between two tokens when they become a text again.
        bits: the nats per token in bits.
        main: name of the customary metric.
    """

    split: Callable[[str, str], Sequence[str]]
    glue: str
    bits: Metric
    main: str


def unit_named(name: str) -> Unit:
    """The unit a user asks for.

    Raises:
        UsageError: there is none of this name.
    """
    check_choice(list(_UNITS), unit=name)
    return _UNITS[name]


def _characters(text: str, newline: str) -> Sequence[str]:
    return text.replace("\n", newline)


def _words(text: str, newline: str) -> Sequence[str]:
    return text.replace("\n", f" {newline} ").split()


BITS = Derived(lambda means: means["nll"] / math.log(2), ("nll",))

_UNITS = {
    "char": Unit(_characters, "", Metric("bits_per_character", "min", "bits", BITS), "bits_per_character"),
    "word": Unit(_words, " ", Metric("bits_per_word", "min", "bits", BITS), "perplexity"),
}


class Vocabulary:
    """Symbols and their numbers.

    Args:
        symbols: in the order of their numbers.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    @classmethod
    def fit(cls, tokens: Sequence[str], *, min_count: int, reserved: Sequence[str]) -> "Vocabulary":
        """Tokens seen `min_count` times or more, frequent ones first, then reserved ones that are new."""
        kept = [token for token, count in Counter(tokens).most_common() if count >= min_count]
        return cls(list(dict.fromkeys([*kept, *reserved])))

    @classmethod
    def restore(cls, fitted: Mapping[str, Any]) -> "Vocabulary":
        """The vocabulary a run was trained with."""
        if "vocabulary" not in fitted:
            raise UsageError(f"a vocabulary was wanted, but what was fitted is {', '.join(fitted) or 'nothing'}")
        return cls(fitted["vocabulary"])

    def encode(self, tokens: Sequence[str]) -> tuple[Int[Tensor, " time"], int]:
        """Numbers of the tokens, and how many of them were not in the vocabulary and became UNKNOWN.

        Raises:
            UsageError: there are such tokens, but the vocabulary has no UNKNOWN.
        """
        numbers = np.fromiter((self._numbers.get(token, -1) for token in tokens), np.int64, len(tokens))
        strange = numbers < 0
        if strange.any():
            if UNKNOWN not in self._numbers:
                token = tokens[int(strange.argmax())]
                raise UsageError(f"{token!r} is not among the {len(self)} tokens of the vocabulary, nor is {UNKNOWN}")
            numbers[strange] = self._numbers[UNKNOWN]
        return torch.from_numpy(numbers), int(strange.sum())
