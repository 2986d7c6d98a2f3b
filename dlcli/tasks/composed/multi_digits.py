"""Two digits on top of one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.core.option_checks import at_least
from dlcli.core.rng import integers
from dlcli.tasks.composed.glyphs import Glyphs, glyphs
from dlcli.tasks.composed.scenes import Layout, SceneTask

_SHIFT = 0x71  # what a draw is for


@dataclass(frozen=True)
class Overlapping:
    """Two digits of different classes, each anywhere in a window of `shift` pixels to all sides of the middle."""

    shift: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[Tensor, Tensor]:
        first = index % len(glyphs)
        numbers = torch.stack((first, glyphs.different(first, index, *words)), 1)
        return numbers, integers(index, 4, 2 * self.shift + 1, *words, _SHIFT).view(-1, 2, 2)


class MultiDigits(SceneTask):
    """MultiMNIST: which two digits of different classes lie on top of one another.

    The canvas is 2 `shift` pixels larger than a digit. With MNIST and 4 pixels it is 36x36, and the frames of the two
    images share four fifths of their area on average; the embedded digits share as much with 1 pixel.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 6. Differs: training pairs are drawn anew in every
    epoch, in which each digit is the first one once, not 1,000 times beforehand; there is a validation split.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        shift: pixels that each digit is moved by at most, up, down, left and right.
        repeats: images of valid and test that have the same first digit.
        batch: training batch size.
        data_seed: what valid and test are drawn from.
        order: seed of the shuffling and of training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, or there is no such source.
        Missing: a file is missing.
    """

    def __init__(
        self,
        *,
        source: str,
        shift: int,
        repeats: int,
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        at_least(0, shift=shift)
        found = glyphs(source)
        side = found["train"].side + 2 * shift
        layouts = dict.fromkeys(found, Layout(Overlapping(shift), side, side))
        scored = {"valid": repeats, "test": repeats}
        super().__init__(found, layouts, repeats=scored, batch=batch, data_seed=data_seed, order=order, metrics=metrics)
