"""Single digits from which larger images and videos are composed."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_choice
from dlcli.core.rng import integers
from dlcli.tasks.image.embedded_digits import NAMES, digit_splits
from dlcli.tasks.image.idx_images import idx_splits

SOURCES = ("digits", "mnist")
CLASSES = len(NAMES)

_CLASS, _GLYPH = 0x61, 0x62  # random streams


@dataclass(frozen=True)
class Glyphs:
    """Square single-channel images of one split, with an index by class.

    Args:
        pixels: stored values; black is 0.
        white: stored value of white, by which pixels are divided.
        labels: class of each glyph.
        members: glyph numbers sorted by class.
        offset: start of each class in `members`.
        count: number of glyphs of each class.
        position: rank of each glyph within its class.
    """

    pixels: Shaped[Tensor, "glyph 1 side side"]
    white: float
    labels: Int[Tensor, " glyph"]
    members: Int[Tensor, " glyph"]
    offset: Int[Tensor, " class"]
    count: Int[Tensor, " class"]
    position: Int[Tensor, " glyph"]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return self.pixels.shape[-1]

    def images(self, rows: Int[Tensor, "*row"]) -> Float[Tensor, "*row 1 side side"]:
        """The glyphs in [0, 1]."""
        return self.pixels[rows].float().div_(self.white)

    def same(self, rows: Int[Tensor, " batch"], index: Int[Tensor, " batch"], *key: int) -> Int[Tensor, " batch"]:
        """Uniformly random other glyph of the same class for each glyph; the glyph itself if it is the only one."""
        count = self.count[self.labels[rows]]
        step = 1 + integers(index, 1, (count - 1).clamp(min=1)[:, None], *key, _GLYPH)[:, 0]
        return self.members[self.offset[self.labels[rows]] + (self.position[rows] + step) % count]

    def different(self, rows: Int[Tensor, " batch"], index: Int[Tensor, " batch"], *key: int) -> Int[Tensor, " batch"]:
        """Random glyph of another class for each glyph: uniform over classes, then over the glyphs of the class."""
        step = 1 + integers(index, 1, CLASSES - 1, *key, _CLASS)[:, 0]
        label = (self.labels[rows] + step) % CLASSES
        return self.members[self.offset[label] + integers(index, 1, self.count[label][:, None], *key, _GLYPH)[:, 0]]

    def to(self, device: torch.device) -> "Glyphs":
        moved: dict[str, Any] = {
            part.name: value.to(device)
            for part in fields(self)
            if isinstance(value := getattr(self, part.name), Tensor)
        }
        return replace(self, **moved)


def load_glyphs(source: str) -> dict[str, Glyphs]:
    """Load the single digits of the splits train, valid and test of a source, which are disjoint.

    Args:
        source: "digits" (8x8 pixels, embedded) or "mnist" (28x28).

    Raises:
        UsageError: the source is unknown, or a class does not occur in a split.
        Missing: a file is missing.
    """
    check_choice(SOURCES, source=source)
    if source == "mnist":
        return {name: _sorted(name, split.images, split.labels, 255.0) for name, split in idx_splits("mnist").items()}
    return {name: _sorted(name, split.inputs[0], split.target, 1.0) for name, split in digit_splits(1, 8, 8).items()}


def _sorted(split: str, pixels: Tensor, labels: Tensor, white: float) -> Glyphs:
    count = labels.bincount(minlength=CLASSES)
    if not count.all():
        problem = f"no digit {NAMES[int(count.argmin())]} in split {split}"
        raise UsageError("invalid_data", path="task.source", problem=problem)
    members, offset = labels.argsort(stable=True), count.cumsum(0) - count
    position = torch.empty_like(members)
    position[members] = torch.arange(len(members)) - offset[labels[members]]
    return Glyphs(pixels, white, labels, members, offset, count, position)
