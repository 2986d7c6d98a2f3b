"""Several digits on a canvas, with the truth about them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import at_least
from dlcli.core.rng import integers
from dlcli.tasks.composed.glyphs import Glyphs, glyphs
from dlcli.tasks.composed.scenes import NOTHING, Layout, SceneTask

_HOW_MANY, _WHICH, _WHERE = 0x81, 0x82, 0x83  # what a draw is for


@dataclass(frozen=True)
class Apart:
    """One to `most` digits of any classes that do not overlap, each anywhere where there is room for it."""

    most: int
    canvas: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[Tensor, Tensor]:
        others = integers(index, self.most - 1, len(glyphs), *words, _WHICH)
        numbers = torch.cat((index[:, None] % len(glyphs), others), 1)
        many = 1 + integers(index, 1, self.most, *words, _HOW_MANY)
        there = torch.arange(self.most, device=index.device) < many
        return numbers.where(there, NOTHING), self._places(glyphs.side, index, *words)

    def _places(self, side: int, index: Tensor, *words: int) -> Int[Tensor, "batch source 2"]:
        """One after the other, all free places equally likely."""
        room = self.canvas - side + 1
        free = torch.ones(len(index), room, room, dtype=torch.bool, device=index.device)
        places: list[Tensor] = []
        for number in range(self.most):
            count = free.flatten(1).sum(1)
            wanted = integers(index, 1, count[:, None], *words, _WHERE, number)
            chosen = (free.flatten(1).cumsum(1) <= wanted).sum(1)  # the first that has `wanted` free ones before it
            places.append(torch.stack((chosen // room, chosen % room), 1))
            free = free & ~_near(places[-1], side, room)
        return torch.stack(places, 1)


def _near(places: Int[Tensor, "batch 2"], side: int, room: int) -> Bool[Tensor, "batch room room"]:
    """Where another digit would overlap one at these places."""
    far = torch.arange(room, device=places.device)
    rows, columns = ((far - places[:, axis, None]).abs() < side for axis in (0, 1))
    return rows[:, :, None] & columns[:, None, :]


class DigitScenes(SceneTask):
    """Which digits are on a canvas: one to `most`, of any classes, none on top of another.

    `scenes(batch)` is the truth: class and place of every digit.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        canvas: pixels of height and width; so large that there is room for `most` digits wherever the first ones lie.
        most: digits of an image, at most; every number from 1 on is equally likely.
        repeats: images of valid and test that have the same first digit.
        batch: training batch size.
        data_seed: what valid and test are drawn from.
        order: seed of the shuffling and of training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, the canvas is, or there is no such source.
        Missing: a file is missing.
    """

    def __init__(
        self,
        *,
        source: str,
        canvas: int,
        most: int,
        repeats: int,
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        at_least(1, most=most)
        found = glyphs(source)
        needed = _smallest(found["train"].side, most)
        if canvas < needed:
            raise UsageError(f"task.canvas is at least {needed} for {most} digits of {source}, not {canvas}")
        layouts = dict.fromkeys(found, Layout(Apart(most, canvas), canvas, canvas))
        scored = {"valid": repeats, "test": repeats}
        super().__init__(found, layouts, repeats=scored, batch=batch, data_seed=data_seed, order=order, metrics=metrics)


def _smallest(side: int, most: int) -> int:
    """The canvas with more places than all digits but the last can take: each takes (2 side - 1)^2 at most."""
    canvas = side
    while (canvas - side + 1) ** 2 <= (most - 1) * (2 * side - 1) ** 2:
        canvas += 1
    return canvas
