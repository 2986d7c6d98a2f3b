"""Scenes: single digits that lie at known places of one image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.option_checks import at_least
from dlcli.core.spec import IGNORED, Labels, Real, Spec
from dlcli.core.task import Batch
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.composed.generated import Drawn, drawn
from dlcli.tasks.composed.glyphs import CLASSES, Glyphs
from dlcli.tasks.composed.placing import place
from dlcli.tasks.image.embedded_digits import NAMES
from dlcli.tasks.targets.multi_label import MultiLabel

NOTHING = -1
"""The number of a glyph that is not there."""


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
class Layout:
    """How images are made: arrangement, height and width."""

    arrange: Arrange
    height: int
    width: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """An image of all digits, and what is there, 1 a class."""
        images, classes = self.sources(glyphs, index, *words)
        target = images.new_zeros(len(index), CLASSES + 1)  # the last column takes what is not there
        target.scatter_(1, classes.where(classes >= 0, CLASSES), 1.0)
        return (images.amax(1),), target[:, :CLASSES]

    def sources(
        self, glyphs: Glyphs, index: Tensor, *words: int
    ) -> tuple[Float[Tensor, "batch source 1 height width"], Int[Tensor, "batch source"]]:
        """The digits one by one, each where it lies, and their classes."""
        numbers, places = self.arrange(glyphs, index, *words)
        images = glyphs.images(numbers.clamp(min=0)) * (numbers != NOTHING)[:, :, None, None, None]
        placed = place(images.flatten(0, 1), places.flatten(0, 1), self.height, self.width)
        return placed.unflatten(0, tuple(numbers.shape)), _classes(glyphs, numbers)

    def scene(self, glyphs: Glyphs, index: Tensor, *words: int) -> Scene:
        """The truth about the images."""
        numbers, places = self.arrange(glyphs, index, *words)
        return Scene(_classes(glyphs, numbers), places.where((numbers != NOTHING)[:, :, None], IGNORED))


def _classes(glyphs: Glyphs, numbers: Tensor) -> Tensor:
    return glyphs.labels[numbers.clamp(min=0)].where(numbers != NOTHING, IGNORED)


class SceneTask(ArrayTask):
    """Which digits are in an image: one label or several.

    Overlapping digits are put together by the larger pixel. Training images are drawn anew in every epoch, as a
    function of (order, epoch, sample); those of valid and test are fixed by `data_seed`.

    Args:
        splits: glyphs of each split, which no other split has.
        layouts: how the images of each split are made.
        repeats: images that begin with the same glyph, by split; one where nothing is said.
        batch: training batch size.
        data_seed: what valid and test are drawn from.
        order: seed of the shuffling and of training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(
        self,
        splits: Mapping[str, Glyphs],
        layouts: Mapping[str, Layout],
        *,
        repeats: Mapping[str, int],
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        at_least(1, repeats=min(repeats.values()))
        self._layouts = dict(layouts)
        heights, widths = ({getattr(layout, side) for layout in layouts.values()} for side in ("height", "width"))
        shape = (1, *(sizes.pop() if len(sizes) == 1 else None for sizes in (heights, widths)))
        spec = Spec((Real(shape),), Labels(CLASSES))
        made = drawn(splits, self._layouts, repeats=repeats, data_seed=data_seed)
        super().__init__(made, spec, MultiLabel(NAMES), batch=batch, order=order, metrics=metrics)

    def sources(self, batch: Batch) -> tuple[Tensor, Tensor]:
        glyphs, layout, words = self._origin(batch)
        return layout.sources(glyphs, batch.index, *words)

    def scenes(self, batch: Batch) -> Scene:
        """The truth about the images of a batch: classes and places of their digits."""
        glyphs, layout, words = self._origin(batch)
        return layout.scene(glyphs, batch.index, *words)

    def _origin(self, batch: Batch) -> tuple[Glyphs, Layout, tuple[int, ...]]:
        """What a batch was made of, how, and from which words it was drawn."""
        split = self._split(batch.split)
        assert isinstance(split, Drawn)
        words = (self._order, batch.epoch) if batch.split == "train" else split.words
        return split.glyphs, self._layouts[batch.split], words
