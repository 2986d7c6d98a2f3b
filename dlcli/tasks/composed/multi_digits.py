"""MultiMNIST: two overlapping digits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.core.option_checks import check_at_least
from dlcli.core.rng import integers
from dlcli.tasks.composed.glyphs import Glyphs, load_glyphs
from dlcli.tasks.composed.scenes import SceneLayout, SceneTask

_SHIFT = 0x71  # random stream


@dataclass(frozen=True)
class Overlapping:
    """Two digits of different classes, each displaced from the center by up to `shift` pixels in both directions."""

    shift: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[Tensor, Tensor]:
        first = index % len(glyphs)
        numbers = torch.stack((first, glyphs.different(first, index, *key)), 1)
        return numbers, integers(index, 4, 2 * self.shift + 1, *key, _SHIFT).view(-1, 2, 2)


class MultiDigits(SceneTask):
    """MultiMNIST: which two digits of different classes overlap in an image.

    The canvas is 2 `shift` pixels larger than a digit. With MNIST and 4 pixels it is 36x36, and the bounding boxes of
    the two digits overlap by 80 % on average; with the embedded digits 1 pixel gives the same overlap.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 6. Differs: training pairs are generated in every
    epoch, with each digit as the first one once, instead of 1,000 pairs per digit in advance; there is a validation
    split.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        shift: maximum displacement of each digit in both directions, in pixels.
        repeats: number of validation and test images with the same first digit.
        batch: training batch size.
        data_seed: seed of the validation and test images.
        order: seed of shuffling and of the training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, or the source is unknown.
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
        check_at_least(0, shift=shift)
        digits = load_glyphs(source)
        side = digits["train"].side + 2 * shift
        layouts = dict.fromkeys(digits, SceneLayout(Overlapping(shift), side, side))
        repeated = {"valid": repeats, "test": repeats}
        super().__init__(
            digits, layouts, repeats=repeated, batch=batch, data_seed=data_seed, order=order, metrics=metrics
        )
