"""Trained on single digits, tested on two side by side."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlcli.tasks.composed.glyphs import Glyphs, glyphs
from dlcli.tasks.composed.scenes import Layout, SceneTask


class Alone:
    """A digit as it is."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[Tensor, Tensor]:
        return index[:, None] % len(glyphs), index.new_zeros(len(index), 1, 2)


class Stacked:
    """Two digits of different classes, the second below the first."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[Tensor, Tensor]:
        first = index % len(glyphs)
        numbers = torch.stack((first, glyphs.different(first, index, *words)), 1)
        return numbers, index.new_tensor(((0, 0), (glyphs.side, 0))).expand(len(index), 2, 2)


class PairedDigits(SceneTask):
    """Which digits are there: one in train and valid, two different ones joined along the height in test.

    A model that sees parts should name both, though it never saw two. Test images are twice as high, so a model must
    take any height: the spec is Real(1, any, side). Settings are chosen on single digits alone.

    The composite experiment of Su Jianlin 2018 (https://kexue.fm/archives/4819). Differs: there is a validation split.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        repeats: pairs of test that have the same first digit.
        batch: training batch size.
        data_seed: what the pairs are drawn from.
        order: seed of shuffling.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, or there is no such source.
        Missing: a file is missing.
    """

    def __init__(
        self, *, source: str, repeats: int, batch: int, data_seed: int, order: int, metrics: Sequence[str] | None = None
    ) -> None:
        found = glyphs(source)
        side = found["train"].side
        layouts = dict.fromkeys(found, Layout(Alone(), side, side)) | {"test": Layout(Stacked(), 2 * side, side)}
        super().__init__(
            found, layouts, repeats={"test": repeats}, batch=batch, data_seed=data_seed, order=order, metrics=metrics
        )
