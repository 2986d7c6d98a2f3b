"""Films in which only the first and the last frame count."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.option_checks import at_least, one_of
from dlcli.core.rng import integers, normal, uniform
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.composed.generated import drawn
from dlcli.tasks.composed.glyphs import Glyphs, glyphs
from dlcli.tasks.targets.classification import Classification

Noise = Literal["uniform", "normal"]

_NOISE = {"uniform": uniform, "normal": normal}
_SAME, _BETWEEN = 0xA1, 0xA2  # what a draw is for


@dataclass(frozen=True)
class Matching:
    """A digit, noise, and another digit, which is of the same class in every second film."""

    frames: int
    noise: Noise

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        first, target = index % len(glyphs), self._same(index, *words)
        last = torch.where(target > 0, glyphs.same(first, index, *words), glyphs.different(first, index, *words))
        ends = (glyphs.images(rows)[:, :, None] for rows in (first, last))
        return (torch.cat((next(ends), self._between(glyphs.side, index, *words), next(ends)), 2),), target

    def _same(self, index: Tensor, *words: int) -> Int[Tensor, " batch"]:
        """One of each two neighbouring films, which one is drawn."""
        return (index + integers(index // 2, 1, 2, *words, _SAME)[:, 0]) % 2

    def _between(self, side: int, index: Tensor, *words: int) -> Float[Tensor, "batch 1 time side side"]:
        shape = (1, self.frames - 2, side, side)
        return _NOISE[self.noise](index, (self.frames - 2) * side * side, *words, _BETWEEN).unflatten(1, shape)


class FrameMatching(ArrayTask):
    """Do the first and the last frame of a film show the same digit? The frames between are noise.

    A network whose layers see a few neighbouring frames cannot compare the two before its receptive field spans the
    film. Same and different are as frequent as can be; where they differ, all other classes are equally likely. Two
    digits of the same class are two different images. Training films are drawn anew in every epoch, as a function of
    (order, epoch, sample); those of valid and test are fixed by `data_seed`.

    A problem of our own, for the long range that Wang et al. 2018 (arXiv:1711.07971) claim for non-local blocks.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        frames: of a film, at least 2.
        noise: of every pixel of the frames between: uniform in [0, 1), or normal of mean 0 and variance 1.
        repeats: films of valid and test that begin with the same digit.
        batch: training batch size.
        data_seed: what valid and test are drawn from.
        order: seed of the shuffling and of training films.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, or there is no such source or noise.
        Missing: a file is missing.
    """

    def __init__(
        self,
        *,
        source: str,
        frames: int,
        noise: Noise,
        repeats: int,
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        at_least(2, frames=frames)
        at_least(1, repeats=repeats)
        one_of(list(_NOISE), noise=noise)
        found = glyphs(source)
        side = found["train"].side
        make = dict.fromkeys(found, Matching(frames, noise))
        splits = drawn(found, make, repeats={"valid": repeats, "test": repeats}, data_seed=data_seed)
        spec = Spec((Real((1, frames, side, side)),), Classes(2))
        super().__init__(splits, spec, Classification(["different", "same"]), batch=batch, order=order, metrics=metrics)
