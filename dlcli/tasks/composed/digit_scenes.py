"""Multi-label task: several digits on a canvas that do not overlap, with ground truth for each digit."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_at_least
from dlcli.core.rng import integers
from dlcli.tasks.composed.glyphs import Glyphs, load_glyphs
from dlcli.tasks.composed.scenes import NOTHING, SceneLayout, SceneTask

_COUNT, _WHICH, _WHERE = 0x81, 0x82, 0x83  # random streams


@dataclass(frozen=True)
class NonOverlapping:
    """One to `most` random digits that do not overlap, each at a uniformly random free position."""

    most: int
    canvas: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[Tensor, Tensor]:
        others = integers(index, self.most - 1, len(glyphs), *key, _WHICH)
        numbers = torch.cat((index[:, None] % len(glyphs), others), 1)
        count = 1 + integers(index, 1, self.most, *key, _COUNT)
        present = torch.arange(self.most, device=index.device) < count
        return numbers.where(present, NOTHING), self._positions(glyphs.side, index, *key)

    def _positions(self, side: int, index: Tensor, *key: int) -> Int[Tensor, "batch source 2"]:
        """Sequential uniform draws among the free positions."""
        room = self.canvas - side + 1
        free = torch.ones(len(index), room, room, dtype=torch.bool, device=index.device)
        positions: list[Tensor] = []
        for number in range(self.most):
            count = free.flatten(1).sum(1)
            rank = integers(index, 1, count[:, None], *key, _WHERE, number)
            chosen = (free.flatten(1).cumsum(1) <= rank).sum(1)  # the free position with `rank` free ones before it
            positions.append(torch.stack((chosen // room, chosen % room), 1))
            free = free & ~_overlapping(positions[-1], side, room)
        return torch.stack(positions, 1)


def _overlapping(positions: Int[Tensor, "batch 2"], side: int, room: int) -> Bool[Tensor, "batch room room"]:
    """Mask of the positions at which another digit would overlap the digits at `positions`."""
    coordinate = torch.arange(room, device=positions.device)
    rows, columns = ((coordinate - positions[:, axis, None]).abs() < side for axis in (0, 1))
    return rows[:, :, None] & columns[:, None, :]


class DigitScenes(SceneTask):
    """Which classes occur among one to `most` digits on a canvas that do not overlap.

    `scenes(batch)` is the ground truth: class and position of every digit.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        canvas: height and width in pixels; large enough for `most` digits at any positions of the first ones.
        most: maximum number of digits in an image; uniformly distributed from 1.
        repeats: number of validation and test images with the same first digit.
        batch: training batch size.
        data_seed: seed of the validation and test images.
        order: seed of shuffling and of the training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number or the canvas is too small, or the source is unknown.
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
        check_at_least(1, most=most)
        digits = load_glyphs(source)
        smallest = _smallest_canvas(digits["train"].side, most)
        if canvas < smallest:
            must = f"at least {smallest} for {most} digits of {source}"
            raise UsageError("invalid_value", key="task.canvas", must=must, got=canvas)
        layouts = dict.fromkeys(digits, SceneLayout(NonOverlapping(most, canvas), canvas, canvas))
        repeated = {"valid": repeats, "test": repeats}
        super().__init__(
            digits, layouts, repeats=repeated, batch=batch, data_seed=data_seed, order=order, metrics=metrics
        )


def _smallest_canvas(side: int, most: int) -> int:
    """Smallest canvas with more positions than all digits but the last can block: at most (2 side - 1)^2 each."""
    canvas = side
    while (canvas - side + 1) ** 2 <= (most - 1) * (2 * side - 1) ** 2:
        canvas += 1
    return canvas
