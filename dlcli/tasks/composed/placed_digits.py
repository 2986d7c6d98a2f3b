"""One digit, somewhere on a larger canvas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError, nearest
from dlcli.core.option_checks import at_least
from dlcli.core.rng import integers, uniform
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.composed.generated import drawn
from dlcli.tasks.composed.glyphs import CLASSES, Glyphs, glyphs
from dlcli.tasks.composed.placing import place, warp
from dlcli.tasks.image.embedded_digits import NAMES
from dlcli.tasks.targets.classification import Classification

_SHAPE, _CORNER, _PATCH, _CUT, _PUT = 0x91, 0x92, 0x93, 0x94, 0x95  # what a draw is for

_NUMBER = (int, float)
_CHANGED: dict[str, tuple[type, ...]] = {  # what test may have of its own, and of which kinds it is
    "rotation": _NUMBER,
    "scale": _NUMBER,
    "shear": _NUMBER,
    "shift": (int, type(None)),
    "clutter": (int,),
    "clutter_size": (int,),
}


@dataclass(frozen=True)
class Placed:
    """A digit turned, scaled, slanted and moved within ranges, and pieces of others about it.

    Overlapping pixels become the larger one.
    """

    canvas: int
    rotation: float
    scale: Sequence[float]
    shear: float
    shift: int | None
    clutter: int
    clutter_size: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        rows = index % len(glyphs)
        turned, scaled, slanted = uniform(index, 3, *words, _SHAPE).unbind(1)
        low, high = self.scale
        images = warp(
            glyphs.images(rows),
            degrees=(2 * turned - 1) * self.rotation,
            scale=low + scaled * (high - low),
            shear=(2 * slanted - 1) * self.shear,
            corner=self._corner(glyphs.side, index, *words),
            canvas=self.canvas,
        )
        if self.clutter:
            images = torch.maximum(images, self._pieces(glyphs, index, *words))
        return (images,), glyphs.labels[rows]

    def _corner(self, side: int, index: Tensor, *words: int) -> Int[Tensor, "batch 2"]:
        """Where the digit lies before it is warped, at whole pixels."""
        room = self.canvas - side
        if self.shift is None:
            return integers(index, 2, room + 1, *words, _CORNER)
        return room // 2 - self.shift + integers(index, 2, 2 * self.shift + 1, *words, _CORNER)

    def _pieces(self, glyphs: Glyphs, index: Tensor, *words: int) -> Float[Tensor, "batch 1 canvas canvas"]:
        """Square cuts of other digits, each anywhere on the canvas."""
        size, side = self.clutter_size, glyphs.side
        others = (index[:, None] + 1 + integers(index, self.clutter, len(glyphs) - 1, *words, _PATCH)) % len(glyphs)
        cut = integers(index, 2 * self.clutter, side - size + 1, *words, _CUT).view(-1, 2)
        put = integers(index, 2 * self.clutter, self.canvas - size + 1, *words, _PUT).view(-1, 2)
        pieces = place(glyphs.images(others.flatten()), -cut, size, size)
        return place(pieces, put, self.canvas, self.canvas).unflatten(0, (len(index), self.clutter)).amax(1)


class PlacedDigits(ArrayTask):
    """Which digit lies somewhere on a larger canvas, whatever was done to it.

    Training images are drawn anew in every epoch, as a function of (order, epoch, sample); those of valid and test
    are fixed by `data_seed`. With ranges of its own for test it asks what a model makes of changes it never saw, as
    Sabour, Frosst & Hinton 2017 (arXiv:1710.09829, section 5.1) do with affNIST.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        canvas: pixels of height and width.
        rotation: degrees by which a digit is turned at most, either way.
        scale: the least and the largest factor.
        shear: columns by which a row is moved at most against the next one, either way.
        shift: pixels by which a digit is moved from the middle at most, in all directions; null is anywhere on the
            canvas. Always whole pixels.
        clutter: pieces of other digits.
        clutter_size: pixels of their height and width.
        test: those of the six above that are different in test; null is none.
        repeats: images of valid and test that are made of the same digit.
        batch: training batch size.
        data_seed: what valid and test are drawn from.
        order: seed of the shuffling and of training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is out of range, or there is no such source.
        Missing: a file is missing.
    """

    def __init__(
        self,
        *,
        source: str,
        canvas: int,
        rotation: float,
        scale: Sequence[float],
        shear: float,
        shift: int | None,
        clutter: int,
        clutter_size: int,
        test: Mapping[str, Any] | None,
        repeats: int,
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        at_least(1, repeats=repeats)
        found = glyphs(source)
        usual = Placed(canvas, rotation, scale, shear, shift, clutter, clutter_size)
        other = _changed(usual, test or {})
        for name, made in (("task", usual), ("task.test", other)):
            _check(made, found["train"].side, name)
        make = {"train": usual, "valid": usual, "test": other}
        splits = drawn(found, make, repeats={"valid": repeats, "test": repeats}, data_seed=data_seed)
        spec = Spec((Real((1, canvas, canvas)),), Classes(CLASSES))
        super().__init__(splits, spec, Classification(NAMES), batch=batch, order=order, metrics=metrics)


def _changed(usual: Placed, changes: Mapping[str, Any]) -> Placed:
    for name, value in changes.items():
        if name not in _CHANGED:
            raise UsageError(f"task.test may change {', '.join(_CHANGED)}, not {name!r}{nearest(name, _CHANGED)}")
        listed = isinstance(value, list | tuple)
        wrong = (isinstance(one, bool) or not isinstance(one, _CHANGED[name]) for one in (value if listed else [value]))
        if listed != (name == "scale") or any(wrong):
            raise UsageError(f"task.test.{name} is not of a kind that task.{name} can be: {value!r}")
    return replace(usual, **changes)


def _check(made: Placed, side: int, place: str) -> None:
    """That the numbers are such that an image can be made."""
    if made.canvas < side:
        raise UsageError(f"task.canvas is at least a digit's {side} pixels, not {made.canvas}")
    if not (len(made.scale) == 2 and 0 < made.scale[0] <= made.scale[1]):
        raise UsageError(f"{place}.scale is the least and the largest factor, above 0, not {list(made.scale)}")
    for name, number in (("rotation", made.rotation), ("shear", made.shear), ("shift", made.shift or 0)):
        if not 0 <= number < float("inf"):
            raise UsageError(f"{place}.{name} is at least 0, not {number}")
    if made.clutter < 0:
        raise UsageError(f"{place}.clutter is at least 0, not {made.clutter}")
    if not 1 <= made.clutter_size <= side:
        raise UsageError(f"{place}.clutter_size is 1 to {side}, not {made.clutter_size}")
