"""Single digits that larger images and films are put together from."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import one_of
from dlcli.core.rng import integers
from dlcli.tasks.image.embedded_digits import NAMES, splits
from dlcli.tasks.image.idx_images import idx_splits

SOURCES = ("digits", "mnist")
CLASSES = len(NAMES)

_CLASS, _GLYPH = 0x61, 0x62  # what a draw is for


@dataclass(frozen=True)
class Glyphs:
    """The single images of a split, square and of one channel, sorted into their classes.

    Args:
        pixels: as they are stored, black being 0.
        white: the pixel that is 1.
        labels: the class of each.
        members: the glyphs in the order of their classes.
        begin: where each class begins in `members`.
        count: how many glyphs each class has.
        place: where each glyph stands within its class.
    """

    pixels: Shaped[Tensor, "glyph 1 side side"]
    white: float
    labels: Int[Tensor, " glyph"]
    members: Int[Tensor, " glyph"]
    begin: Int[Tensor, " class"]
    count: Int[Tensor, " class"]
    place: Int[Tensor, " glyph"]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def side(self) -> int:
        """Pixels of height and width."""
        return self.pixels.shape[-1]

    def images(self, rows: Int[Tensor, "*row"]) -> Float[Tensor, "*row 1 side side"]:
        """The glyphs in [0, 1]."""
        return self.pixels[rows].float().div_(self.white)

    def same(self, rows: Int[Tensor, " batch"], index: Int[Tensor, " batch"], *words: int) -> Int[Tensor, " batch"]:
        """For each glyph another one of its class, all equally likely; itself where it is the only one."""
        count = self.count[self.labels[rows]]
        further = 1 + integers(index, 1, (count - 1).clamp(min=1)[:, None], *words, _GLYPH)[:, 0]
        return self.members[self.begin[self.labels[rows]] + (self.place[rows] + further) % count]

    def different(
        self, rows: Int[Tensor, " batch"], index: Int[Tensor, " batch"], *words: int
    ) -> Int[Tensor, " batch"]:
        """For each glyph one of another class: these are equally likely, then the glyphs of the class."""
        further = 1 + integers(index, 1, CLASSES - 1, *words, _CLASS)[:, 0]
        label = (self.labels[rows] + further) % CLASSES
        return self.members[self.begin[label] + integers(index, 1, self.count[label][:, None], *words, _GLYPH)[:, 0]]

    def to(self, device: torch.device) -> "Glyphs":
        moved: dict[str, Any] = {
            part.name: value.to(device)
            for part in fields(self)
            if isinstance(value := getattr(self, part.name), Tensor)
        }
        return replace(self, **moved)


def glyphs(source: str) -> dict[str, Glyphs]:
    """The single digits of train, valid and test: those of the source's own splits, so that no glyph is in two.

    Args:
        source: "digits" are the embedded ones of 8x8 pixels, "mnist" those of 28x28.

    Raises:
        UsageError: there is no such source, or a split has no glyph of a class.
        Missing: a file is missing.
    """
    one_of(SOURCES, source=source)
    if source == "mnist":
        return {name: _sorted(name, split.images, split.labels, 255.0) for name, split in idx_splits("mnist").items()}
    return {name: _sorted(name, split.inputs[0], split.target, 1.0) for name, split in splits(1, 8, 8).items()}


def _sorted(split: str, pixels: Tensor, labels: Tensor, white: float) -> Glyphs:
    count = labels.bincount(minlength=CLASSES)
    if not count.all():
        raise UsageError(f"split {split} has no {NAMES[int(count.argmin())]}")
    members, begin = labels.argsort(stable=True), count.cumsum(0) - count
    place = torch.empty_like(members)
    place[members] = torch.arange(len(members)) - begin[labels[members]]
    return Glyphs(pixels, white, labels, members, begin, count, place)
