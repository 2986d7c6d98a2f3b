"""Scenes: single digits that lie at known places of one image."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.spec import Labels, Real, Spec
from dlcli.core.task import Batch
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.embedded_digits import NAMES
from dlcli.tasks.glyphs import CLASSES, Glyphs
from dlcli.tasks.multi_label import MultiLabel
from dlcli.tasks.options import at_least
from dlcli.tasks.placing import place
from dlcli.tasks.yardstick import IGNORED

NOTHING = -1
"""The number of a glyph that is not there."""

_HELD_OUT = 0x5CE4E  # sets the draws of valid and test apart from those of training


@dataclass(frozen=True)
class Scene:
    """What is in the images of a batch, the sources of an image first; -100 where there are fewer.

    Args:
        classes: of each digit.
        places: row and column of the top left pixel of each digit.
    """

    classes: Int[Tensor, "batch source"]
    places: Int[Tensor, "batch source 2"]


@runtime_checkable
class Arrange(Protocol):
    """Which glyphs are in an image, and where."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[Tensor, Tensor]:
        """Numbers of glyphs [batch, source], `NOTHING` for none, and their top left pixels [batch, source, 2].

        Sample `index` begins with glyph `index` modulo their number; all else is drawn from the index and the words.
        """


@dataclass(frozen=True)
class Scenes:
    """A split of images that are put together when they are asked for.

    Args:
        glyphs: what of.
        arrange: how.
        height, width: of an image.
        repeats: images that begin with the same glyph.
        words: what a split that stays the same is drawn from.
    """

    glyphs: Glyphs
    arrange: Arrange
    height: int
    width: int
    repeats: int
    words: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.glyphs) * self.repeats

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        index = torch.arange(len(self), device=self.glyphs.labels.device)[rows]
        return self.vary(index, *self.words)

    def vary(self, rows: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        images, classes = self.sources(rows, *words)
        target = images.new_zeros(len(rows), CLASSES + 1)  # the last column takes what is not there
        target.scatter_(1, classes.where(classes >= 0, CLASSES), 1.0)
        return (images.amax(1),), target[:, :CLASSES]

    def sources(
        self, rows: Tensor, *words: int
    ) -> tuple[Float[Tensor, "batch source 1 height width"], Int[Tensor, "batch source"]]:
        """The digits one by one, each where it lies, and their classes."""
        numbers, places = self.arrange(self.glyphs, rows, *words)
        there = numbers != NOTHING
        images = self.glyphs.images(numbers.clamp(min=0)) * there[:, :, None, None, None]
        placed = place(images.flatten(0, 1), places.flatten(0, 1), self.height, self.width)
        return placed.unflatten(0, tuple(numbers.shape)), self._classes(numbers)

    def scene(self, rows: Tensor, *words: int) -> Scene:
        """The truth about the images."""
        numbers, places = self.arrange(self.glyphs, rows, *words)
        return Scene(self._classes(numbers), places.where((numbers != NOTHING)[:, :, None], IGNORED))

    def _classes(self, numbers: Tensor) -> Tensor:
        return self.glyphs.labels[numbers.clamp(min=0)].where(numbers != NOTHING, IGNORED)

    def to(self, device: torch.device) -> "Scenes":
        return replace(self, glyphs=self.glyphs.to(device))


class SceneTask(ArrayTask):
    """Which digits are in an image: one label or several.

    Overlapping digits are put together by the larger pixel. Training images are drawn anew in every epoch, as a
    function of (order, epoch, sample); those of valid and test are fixed by `data_seed`.

    Args:
        splits: glyphs of each split, which no other split has.
        layouts: how the images of each split are made: arrangement, height and width.
        repeats: images of valid and test that begin with the same glyph.
        batch: rows of a training batch.
        data_seed: what valid and test are drawn from.
        order: seed of the shuffling and of training images.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(
        self,
        splits: Mapping[str, Glyphs],
        layouts: Mapping[str, tuple[Arrange, int, int]],
        *,
        repeats: int,
        batch: int,
        data_seed: int,
        order: int,
    ) -> None:
        at_least(1, repeats=repeats)
        scenes = {
            name: Scenes(glyphs, *layouts[name], 1 if name == "train" else repeats, (_HELD_OUT, data_seed, number))
            for number, (name, glyphs) in enumerate(splits.items())
        }
        heights, widths = ({getattr(split, side) for split in scenes.values()} for side in ("height", "width"))
        shape = (1, *(sizes.pop() if len(sizes) == 1 else None for sizes in (heights, widths)))
        spec = Spec((Real(shape),), Labels(CLASSES))
        super().__init__(scenes, spec, MultiLabel(NAMES), batch=batch, order=order)

    def sources(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._scenes(batch).sources(batch.index, *self._words(batch))

    def scenes(self, batch: Batch) -> Scene:
        """The truth about the images of a batch: classes and places of their digits."""
        return self._scenes(batch).scene(batch.index, *self._words(batch))

    def _scenes(self, batch: Batch) -> Scenes:
        split = self._split(batch.split)
        assert isinstance(split, Scenes)
        return split

    def _words(self, batch: Batch) -> tuple[int, ...]:
        return (self._order, batch.epoch) if batch.split == "train" else self._scenes(batch).words
