"""Generalization from single digits in training to pairs in test."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlcli.tasks.composed.glyphs import Glyphs, load_glyphs
from dlcli.tasks.composed.scenes import SceneLayout, SceneTask


class SingleDigit:
    """One digit that fills the image."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[Tensor, Tensor]:
        return index[:, None] % len(glyphs), index.new_zeros(len(index), 1, 2)


class Stacked:
    """Two digits of different classes, the second below the first."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[Tensor, Tensor]:
        first = index % len(glyphs)
        numbers = torch.stack((first, glyphs.different(first, index, *key)), 1)
        return numbers, index.new_tensor(((0, 0), (glyphs.side, 0))).expand(len(index), 2, 2)


class PairedDigits(SceneTask):
    """Which digits occur: one in training and validation images, two different ones stacked vertically in test images.

    A model that recognizes parts should label both digits without having been trained on pairs. Test images are twice
    as high, so the model must accept any height: the spec is Real(1, any, side). Model selection uses single digits
    only.

    The composite experiment of Su Jianlin 2018 (https://kexue.fm/archives/4819). Differs: there is a validation split.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        repeats: number of test pairs with the same first digit.
        batch: training batch size.
        data_seed: seed of the pairs.
        order: seed of shuffling.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, or the source is unknown.
        Missing: a file is missing.
    """

    def __init__(
        self, *, source: str, repeats: int, batch: int, data_seed: int, order: int, metrics: Sequence[str] | None = None
    ) -> None:
        digits = load_glyphs(source)
        side = digits["train"].side
        layouts = dict.fromkeys(digits, SceneLayout(SingleDigit(), side, side)) | {
            "test": SceneLayout(Stacked(), 2 * side, side)
        }
        super().__init__(
            digits, layouts, repeats={"test": repeats}, batch=batch, data_seed=data_seed, order=order, metrics=metrics
        )
