"""Multi-label task: digits on a grid of cells, with ground truth for each cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_at_least
from dlcli.core.rng import integers, uniform
from dlcli.tasks.composed.glyphs import Glyphs, load_glyphs
from dlcli.tasks.composed.scenes import NOTHING, SceneLayout, SceneTask

_WHICH, _EMPTY, _FIRST = 0xA1, 0xA2, 0xA3  # random streams


@dataclass(frozen=True)
class GridArrangement:
    """A random digit in every cell that is not empty, and the first digit of the sample in a random cell."""

    rows: int
    columns: int
    empty: float

    def __call__(self, glyphs: Glyphs, index: Tensor, *key: int) -> tuple[Tensor, Tensor]:
        cells = self.rows * self.columns
        numbers = integers(index, cells, len(glyphs), *key, _WHICH)
        numbers = numbers.masked_fill(uniform(index, cells, *key, _EMPTY) < self.empty, NOTHING)
        first = integers(index, 1, cells, *key, _FIRST)
        numbers = numbers.scatter(1, first, index[:, None] % len(glyphs))
        cell = torch.arange(cells, device=index.device)
        corners = torch.stack((cell // self.columns, cell % self.columns), 1) * glyphs.side
        return numbers, corners.expand(len(index), -1, -1)


class DigitGrid(SceneTask):
    """Which classes occur among the digits on a grid of `rows` x `columns` cells of the size of a digit.

    At least one cell has a digit. `scenes(batch)` is the ground truth: classes and positions of the cells in row-major
    order, -100 for empty cells.

    Args:
        source: "digits" (8x8, embedded) or "mnist" (28x28).
        rows: number of rows of cells.
        columns: number of columns of cells.
        empty: probability in [0, 1) that a cell is empty; the first digit of a sample is always present.
        repeats: number of validation and test images with the same first digit.
        batch: training batch size.
        data_seed: seed of the validation and test images.
        order: seed of shuffling and of the training images.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: a number is too small, `empty` is not in [0, 1), or the source is unknown.
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
        check_at_least(1, rows=rows, columns=columns)
        if not 0 <= empty < 1:
            raise UsageError("invalid_value", key="task.empty", must="in [0, 1)", got=empty)
        digits = load_glyphs(source)
        self.side = side = digits["train"].side
        layout = SceneLayout(GridArrangement(rows, columns, empty), rows * side, columns * side)
        super().__init__(
            digits,
            dict.fromkeys(digits, layout),
            repeats={"valid": repeats, "test": repeats},
            batch=batch,
            data_seed=data_seed,
            order=order,
            metrics=metrics,
        )
