"""Classification of one digit, transformed and placed on a larger canvas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_at_least
from dlcli.core.rng import integers, uniform
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import InMemoryTask
from dlcli.tasks.composed.generated import generated_splits
from dlcli.tasks.composed.glyphs import CLASSES, Glyphs, load_glyphs
from dlcli.tasks.composed.placing import place, warp
from dlcli.tasks.image.embedded_digits import NAMES
from dlcli.tasks.targets.classification import Classification

_SHAPE, _CORNER, _PATCH, _CUT, _PUT = 0x91, 0x92, 0x93, 0x94, 0x95  # random streams

_NUMBER = (int, float)
_TEST_OPTIONS: dict[str, tuple[type, ...]] = {  # options that `test` may override, with their types
    "rotation": _NUMBER,
    "scale": _NUMBER,
    "shear": _NUMBER,
    "shift": (int, type(None)),
    "clutter": (int,),
    "clutter_size": (int,),
}


@dataclass(frozen=True)
class Placed:
    """Randomly rotated, scaled, sheared and translated digit with clutter: pieces of other digits.

    Overlapping pixels are combined by the maximum.
    """

    canvas: int
    rotation: float
    scale: Sequence[float]
    shear: float
    shift: int | None
    clutter: int
    clutter_size: int

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        rows = index % len(glyphs)
        rotation, scale, shear = uniform(index, 3, *key, _SHAPE).unbind(1)
        low, high = self.scale
        images = warp(
            glyphs.images(rows),
            degrees=(2 * rotation - 1) * self.rotation,
            scale=low + scale * (high - low),
            shear=(2 * shear - 1) * self.shear,
            corner=self._corner(glyphs.side, index, *key),
            canvas=self.canvas,
        )
        if self.clutter:
            images = torch.maximum(images, self._pieces(glyphs, index, *key))
        return (images,), glyphs.labels[rows]

    def _corner(self, side: int, index: Tensor, *key: int) -> Int[Tensor, "batch 2"]:
        """Top left pixel of the digit before it is warped."""
        room = self.canvas - side
        if self.shift is None:
            return integers(index, 2, room + 1, *key, _CORNER)
        return room // 2 - self.shift + integers(index, 2, 2 * self.shift + 1, *key, _CORNER)

    def _pieces(self, glyphs: Glyphs, index: Tensor, *key: int) -> Float[Tensor, "batch 1 canvas canvas"]:
        """Square pieces of other digits at random positions of the canvas."""
        size, side = self.clutter_size, glyphs.side
        others = (index[:, None] + 1 + integers(index, self.clutter, len(glyphs) - 1, *key, _PATCH)) % len(glyphs)
        cut = integers(index, 2 * self.clutter, side - size + 1, *key, _CUT).view(-1, 2)
        put = integers(index, 2 * self.clutter, self.canvas - size + 1, *key, _PUT).view(-1, 2)
        pieces = place(glyphs.images(others.flatten()), -cut, size, size)
        return place(pieces, put, self.canvas, self.canvas).unflatten(0, (len(index), self.clutter)).amax(1)


class PlacedDigits(InMemoryTask):
    """Classification of a randomly transformed digit on a larger canvas.

    Training images are generated in every epoch as a function of (order, epoch, sample); validation and test images
    are fixed by `data_seed`. With other ranges in test it measures generalization to unseen transformations, like
    affNIST in Sabour, Frosst & Hinton 2017 (arXiv:1710.09829, section 5.1).

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        canvas: height and width in pixels.
        rotation: maximum rotation in either direction, in degrees.
        scale: minimum and maximum scale factor.
        shear: maximum displacement of a row relative to the next one, in pixels, in either direction.
        shift: maximum displacement from the center in both directions, in whole pixels; None: anywhere on the canvas.
        clutter: number of pieces of other digits.
        clutter_size: height and width of the pieces in pixels.
        test: overrides of the six preceding options in the test split; None: no overrides.
        repeats: number of validation and test images generated from the same digit.
        batch: training batch size.
        data_seed: seed of the validation and test images.
        order: seed of shuffling and of the training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is out of range, or the source is unknown.
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
        check_at_least(1, repeats=repeats)
        digits = load_glyphs(source)
        train_placement = Placed(canvas, rotation, scale, shear, shift, clutter, clutter_size)
        test_placement = _overridden(train_placement, test or {})
        for prefix, placement in (("task", train_placement), ("task.test", test_placement)):
            _check(placement, digits["train"].side, prefix)
        make = {"train": train_placement, "valid": train_placement, "test": test_placement}
        splits = generated_splits(digits, make, repeats={"valid": repeats, "test": repeats}, data_seed=data_seed)
        spec = Spec((Real((1, canvas, canvas)),), Classes(CLASSES))
        super().__init__(splits, spec, Classification(NAMES), batch=batch, order=order, metrics=metrics)


def _overridden(placement: Placed, overrides: Mapping[str, Any]) -> Placed:
    for name, value in overrides.items():
        if name not in _TEST_OPTIONS:
            raise UsageError("unknown_name", kind="option of task.test", name=name, known=_TEST_OPTIONS)
        is_list = isinstance(value, list | tuple)
        types = _TEST_OPTIONS[name]
        wrong = (
            isinstance(element, bool) or not isinstance(element, types) for element in (value if is_list else [value])
        )
        if is_list != (name == "scale") or any(wrong):
            raise UsageError("invalid_value", key=f"task.test.{name}", must=f"of the type of task.{name}", got=value)
    return replace(placement, **overrides)


def _check(placement: Placed, side: int, prefix: str) -> None:
    if placement.canvas < side:
        must = f"at least the size of a digit ({side})"
        raise UsageError("invalid_value", key="task.canvas", must=must, got=placement.canvas)
    if not (len(placement.scale) == 2 and 0 < placement.scale[0] <= placement.scale[1]):
        must = "[minimum, maximum], both above 0"
        raise UsageError("invalid_value", key=f"{prefix}.scale", must=must, got=list(placement.scale))
    at_least_zero = {
        "rotation": placement.rotation, "shear": placement.shear, "shift": placement.shift or 0,
        "clutter": placement.clutter,
    }  # fmt: skip
    for name, number in at_least_zero.items():
        if not 0 <= number < float("inf"):
            raise UsageError("invalid_value", key=f"{prefix}.{name}", must="at least 0 and finite", got=number)
    if not 1 <= placement.clutter_size <= side:
        must = f"from 1 to {side}"
        raise UsageError("invalid_value", key=f"{prefix}.clutter_size", must=must, got=placement.clutter_size)
