"""Scenes: images composed of single digits at known positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.option_checks import check_at_least
from dlcli.core.spec import IGNORED, Labels, Real, Spec
from dlcli.core.task import Batch
from dlcli.tasks.arrays import InMemoryTask
from dlcli.tasks.composed.generated import GeneratedSamples, generated_splits
from dlcli.tasks.composed.glyphs import CLASSES, Glyphs
from dlcli.tasks.composed.placing import place
from dlcli.tasks.image.embedded_digits import NAMES
from dlcli.tasks.targets.multi_label import MultiLabel

NOTHING = -1
"""Glyph number of an absent digit."""


@dataclass(frozen=True)
class Scene:
    """Ground truth of a batch of scenes; -100 for absent digits.

    Args:
        classes: class of each digit.
        places: row and column of the top left pixel of each digit.
    """

    classes: Int[Tensor, "batch source"]
    places: Int[Tensor, "batch source 2"]


@runtime_checkable
class Arrangement(Protocol):
    """Random arrangement of glyphs in an image."""

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[Tensor, Tensor]:
        """Glyph numbers [batch, source], `NOTHING` for absent ones, and their top left pixels [batch, source, 2].

        Sample `index` starts with glyph `index` modulo the number of glyphs; everything else is random, seeded by the
        index and the key.
        """


@dataclass(frozen=True)
class SceneLayout:
    """Renderer of scenes: an arrangement and the image size in pixels."""

    arrange: Arrangement
    height: int
    width: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """Images of all digits, and multi-label targets [batch, class]."""
        images, classes = self.sources(glyphs, index, *key)
        target = images.new_zeros(len(index), CLASSES + 1)  # the last column collects absent digits
        target.scatter_(1, classes.where(classes >= 0, CLASSES), 1.0)
        return (images.amax(1),), target[:, :CLASSES]

    def sources(
        self, glyphs: Glyphs, index: Tensor, *key: int
    ) -> tuple[Float[Tensor, "batch source 1 height width"], Int[Tensor, "batch source"]]:
        """One image per digit, each at its position, and the classes of the digits."""
        numbers, places = self.arrange(glyphs, index, *key)
        images = glyphs.images(numbers.clamp(min=0)) * (numbers != NOTHING)[:, :, None, None, None]
        placed = place(images.flatten(0, 1), places.flatten(0, 1), self.height, self.width)
        return placed.unflatten(0, tuple(numbers.shape)), _classes(glyphs, numbers)

    def scene(self, glyphs: Glyphs, index: Tensor, *key: int) -> Scene:
        """Ground truth of the images."""
        numbers, places = self.arrange(glyphs, index, *key)
        return Scene(_classes(glyphs, numbers), places.where((numbers != NOTHING)[:, :, None], IGNORED))


def _classes(glyphs: Glyphs, numbers: Tensor) -> Tensor:
    return glyphs.labels[numbers.clamp(min=0)].where(numbers != NOTHING, IGNORED)


class SceneTask(InMemoryTask):
    """Multi-label classification: which digits occur in an image.

    Overlapping digits are combined by the pixelwise maximum. Training images are generated in every epoch as a function
    of (order, epoch, sample); validation and test images are fixed by `data_seed`.

    Args:
        splits: disjoint sets of glyphs by split.
        layouts: renderer of the images by split.
        repeats: number of images that start with the same glyph, by split; default 1.
        batch: training batch size.
        data_seed: seed of the validation and test images.
        order: seed of shuffling and of the training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small.
    """

    def __init__(
        self,
        splits: Mapping[str, Glyphs],
        layouts: Mapping[str, SceneLayout],
        *,
        repeats: Mapping[str, int],
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        check_at_least(1, repeats=min(repeats.values()))
        self._layouts = dict(layouts)
        heights, widths = ({getattr(layout, side) for layout in layouts.values()} for side in ("height", "width"))
        shape = (1, *(sizes.pop() if len(sizes) == 1 else None for sizes in (heights, widths)))
        spec = Spec((Real(shape),), Labels(CLASSES))
        generated = generated_splits(splits, self._layouts, repeats=repeats, data_seed=data_seed)
        super().__init__(generated, spec, MultiLabel(NAMES), batch=batch, order=order, metrics=metrics)

    def sources(self, batch: Batch) -> tuple[Tensor, Tensor]:
        glyphs, layout, key = self._origin(batch)
        return layout.sources(glyphs, batch.index, *key)

    def scenes(self, batch: Batch) -> Scene:
        """Ground truth of a batch: classes and positions of the digits."""
        glyphs, layout, key = self._origin(batch)
        return layout.scene(glyphs, batch.index, *key)

    def _origin(self, batch: Batch) -> tuple[Glyphs, SceneLayout, tuple[int, ...]]:
        """Glyphs, renderer and random key of a batch."""
        split = self._split(batch.split)
        assert isinstance(split, GeneratedSamples)
        key = (self._order, batch.epoch) if batch.split == "train" else split.key
        return split.glyphs, self._layouts[batch.split], key
