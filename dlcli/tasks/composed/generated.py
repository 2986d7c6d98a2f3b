"""Splits whose samples are generated on access."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dlcli.tasks.composed.glyphs import Glyphs

_HELD_OUT = 0x5CE4E  # random stream of the validation and test samples


@runtime_checkable
class SampleGenerator(Protocol):
    """Generator of samples from glyphs."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """Generate inputs and target, batch axis first.

        Sample `index` starts with glyph `index` modulo the number of glyphs; everything else is random, seeded by the
        index and the key.
        """


@dataclass(frozen=True)
class GeneratedSamples:
    """A split of samples generated from glyphs: new samples in every training epoch, fixed ones otherwise.

    Args:
        glyphs: the glyphs of the split.
        make: the generator.
        repeats: number of samples that start with the same glyph.
        key: random key of the fixed samples.
    """

    glyphs: Glyphs
    make: SampleGenerator
    repeats: int
    key: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.glyphs) * self.repeats

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        index = torch.arange(len(self), device=self.glyphs.labels.device)[rows]
        return self.vary(index, *self.key)

    def vary(self, rows: Tensor, *key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        return self.make(self.glyphs, rows, *key)

    def to(self, device: torch.device) -> "GeneratedSamples":
        return replace(self, glyphs=self.glyphs.to(device))


def generated_splits(
    splits: Mapping[str, Glyphs], make: Mapping[str, SampleGenerator], *, repeats: Mapping[str, int], data_seed: int
) -> dict[str, GeneratedSamples]:
    """Generated splits.

    Args:
        splits: glyphs by split.
        make: generator by split.
        repeats: number of samples that start with the same glyph, by split; default 1.
        data_seed: seed of the validation and test samples.
    """
    return {
        name: GeneratedSamples(glyphs, make[name], repeats.get(name, 1), (_HELD_OUT, data_seed, number))
        for number, (name, glyphs) in enumerate(splits.items())
    }
