"""A chain of cells: which halve the image, and how wide each is."""

from dlcli.core.errors import UsageError
from dlcli.nn.conv.blocks import reduction_positions
from dlcli.nn.checks import at_least

STEM_MULTIPLIER = 3
"""The stem of a shared network is so many times as wide as the first cell, as published."""


class CellStack:
    """Which cells follow each other: `cells` normal ones, in equal parts, with a reduction cell between two parts.

    Cells count from 0. A reduction cell halves both of its inputs before anything else and doubles the width.

    Args:
        cells: normal cells.
        channels: of a cell before the first reduction.
        stem: channels that the first cells read.
        reductions: reduction cells.

    Raises:
        UsageError: a number is out of range.
    """

    def __init__(self, *, cells: int, channels: int, stem: int, reductions: int) -> None:
        at_least(1, reductions=reductions)
        at_least(2, channels=channels)
        at_least(1, stem=stem)
        if cells <= reductions:
            raise UsageError("a normal cell stands before and after every reduction: model.cells > model.reductions")
        after = reduction_positions(cells, reductions)
        self.reducing = [kind for cell in range(1, cells + 1) for kind in ([False, True] if cell in after else [False])]
        self.stage = [sum(self.reducing[: cell + 1]) for cell in range(len(self.reducing))]
        self.width = [channels << stage for stage in self.stage]
        self.stem = stem

    def __len__(self) -> int:
        return len(self.reducing)

    def read(self, cell: int, side: int) -> tuple[int, bool]:
        """Width of an input of a cell (side 0 is the older), and whether it has twice the cell's height."""
        source = cell - 2 + side
        if source < 0:
            return self.stem, self.stage[cell] > 0
        return self.width[source], self.stage[cell] > self.stage[source]
