"""Digits on a grid of cells, with the truth about them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import at_least
from dlcli.core.rng import integers, uniform
from dlcli.tasks.composed.glyphs import Glyphs, glyphs
from dlcli.tasks.composed.scenes import NOTHING, Layout, SceneTask

_WHICH, _EMPTY, _FIRST = 0xA1, 0xA2, 0xA3  # what a draw is for


@dataclass(frozen=True)
class InCells:
    """A digit of any class in every cell that is not empty; the scene's first digit lies in any cell."""

    rows: int
    columns: int
    empty: float

    def __call__(self, glyphs: Glyphs, index: Tensor, *words: int) -> tuple[Tensor, Tensor]:
        cells = self.rows * self.columns
        numbers = integers(index, cells, len(glyphs), *words, _WHICH)
        numbers = numbers.masked_fill(uniform(index, cells, *words, _EMPTY) < self.empty, NOTHING)
        first = integers(index, 1, cells, *words, _FIRST)
        numbers = numbers.scatter(1, first, index[:, None] % len(glyphs))
        cell = torch.arange(cells, device=index.device)
        corners = torch.stack((cell // self.columns, cell % self.columns), 1) * glyphs.side
        return numbers, corners.expand(len(index), -1, -1)


class DigitGrid(SceneTask):
    """Which digits are on a grid of `rows` x `columns` cells, each as large as a digit: one at least.

    `scenes(batch)` is the truth: classes and places of the cells in the order of
    reading, -100 where they are empty.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        rows: of cells.
        columns: of cells.
        empty: probability in [0, 1) that a cell has no digit; a scene's first digit is always there.
        repeats: images of valid and test that have the same first digit.
        batch: training batch size.
        data_seed: what valid and test are drawn from.
        order: seed of the shuffling and of training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, `empty` is no such probability, or there is no such source.
        Missing: a file is missing.
    """

    def __init__(
        self,
        *,
        source: str,
        rows: int,
        columns: int,
        empty: float,
        repeats: int,
        batch: int,
        data_seed: int,
        order: int,
        metrics: Sequence[str] | None = None,
    ) -> None:
        at_least(1, rows=rows, columns=columns)
        if not 0 <= empty < 1:
            raise UsageError(f"task.empty is a probability from 0 to below 1, not {empty:g}")
        found = glyphs(source)
        self.side = side = found["train"].side
        layout = Layout(InCells(rows, columns, empty), rows * side, columns * side)
        scored = {"valid": repeats, "test": repeats}
        super().__init__(
            found,
            dict.fromkeys(found, layout),
            repeats=scored,
            batch=batch,
            data_seed=data_seed,
            order=order,
            metrics=metrics,
        )
