"""Splits whose samples are made when they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dlcli.tasks.composed.glyphs import Glyphs

_HELD_OUT = 0x5CE4E  # sets the draws of valid and test apart from those of training


@runtime_checkable
class Make(Protocol):
    """How samples are made of glyphs."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and target, batch axis first.

        Sample `index` begins with glyph `index` modulo their number; all else is drawn from the index and the words.
        """


@dataclass(frozen=True)
class Drawn:
    """A split of samples that are made of glyphs: anew in every epoch of training, else always the same.

    Args:
        glyphs: what of.
        make: how.
        repeats: samples that begin with the same glyph.
        words: what samples that stay the same are drawn from.
    """

    glyphs: Glyphs
    make: Make
    repeats: int
    words: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.glyphs) * self.repeats

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        index = torch.arange(len(self), device=self.glyphs.labels.device)[rows]
        return self.vary(index, *self.words)

    def vary(self, rows: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        return self.make(self.glyphs, rows, *words)

    def to(self, device: torch.device) -> "Drawn":
        return replace(self, glyphs=self.glyphs.to(device))


def drawn(
    splits: Mapping[str, Glyphs], make: Mapping[str, Make], *, repeats: Mapping[str, int], data_seed: int
) -> dict[str, Drawn]:
    """Each split made in its way.

    Args:
        repeats: samples that begin with the same glyph, by split; one where nothing is said.
        data_seed: what valid and test are drawn from.
    """
    return {
        name: Drawn(glyphs, make[name], repeats.get(name, 1), (_HELD_OUT, data_seed, number))
        for number, (name, glyphs) in enumerate(splits.items())
    }
