"""Video classification that requires a long temporal receptive field: compare the first and the last frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.option_checks import check_at_least, check_choice
from dlcli.core.rng import integers, normal, uniform
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import InMemoryTask
from dlcli.tasks.composed.generated import generated_splits
from dlcli.tasks.composed.glyphs import Glyphs, load_glyphs
from dlcli.tasks.targets.classification import Classification

Noise = Literal["uniform", "normal"]

_NOISE = {"uniform": uniform, "normal": normal}
_SAME, _BETWEEN = 0xA1, 0xA2  # random streams


@dataclass(frozen=True)
class Matching:
    """Videos of a digit, noise frames, and another digit, which has the same class in half of the videos."""

    frames: int
    noise: Noise

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        first, target = index % len(glyphs), self._targets(index, *key)
        last = torch.where(target > 0, glyphs.same(first, index, *key), glyphs.different(first, index, *key))
        ends = (glyphs.images(rows)[:, :, None] for rows in (first, last))
        return (torch.cat((next(ends), self._noise_frames(glyphs.side, index, *key), next(ends)), 2),), target

    def _targets(self, index: Tensor, *key: int) -> Int[Tensor, " batch"]:
        """1 for a random one of each two consecutive videos: the same class; else 0."""
        return (index + integers(index // 2, 1, 2, *key, _SAME)[:, 0]) % 2

    def _noise_frames(self, side: int, index: Tensor, *key: int) -> Float[Tensor, "batch 1 time side side"]:
        shape = (1, self.frames - 2, side, side)
        return _NOISE[self.noise](index, (self.frames - 2) * side * side, *key, _BETWEEN).unflatten(1, shape)


class FrameMatching(InMemoryTask):
    """Whether the first and the last frame of a video show the same digit class; the frames between are noise.

    A network of local layers cannot compare the two frames until its temporal receptive field spans the video. The two
    classes are balanced; if the digits differ, all other classes are equally likely. Two digits of the same class are
    different images. Training videos are generated in every epoch as a function of (order, epoch, sample); validation
    and test videos are fixed by `data_seed`.

    Not from a paper; it tests the long-range dependencies for which Wang et al. 2018 (arXiv:1711.07971) propose
    non-local blocks.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        frames: number of frames of a video, at least 2.
        noise: distribution of the noise pixels: uniform in [0, 1), or standard normal.
        repeats: number of validation and test videos that start with the same digit.
        batch: training batch size.
        data_seed: seed of the validation and test videos.
        order: seed of shuffling and of the training videos.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, or the source or noise is unknown.
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
        check_at_least(2, frames=frames)
        check_at_least(1, repeats=repeats)
        check_choice(list(_NOISE), noise=noise)
        digits = load_glyphs(source)
        side = digits["train"].side
        make = dict.fromkeys(digits, Matching(frames, noise))
        splits = generated_splits(digits, make, repeats={"valid": repeats, "test": repeats}, data_seed=data_seed)
        spec = Spec((Real((1, frames, side, side)),), Classes(2))
        super().__init__(splits, spec, Classification(["different", "same"]), batch=batch, order=order, metrics=metrics)
