"""Stack of normal and reduction cells: order, width and resolution."""

from dlcli.core.errors import UsageError
from dlcli.nn.checks import at_least
from dlcli.nn.conv.blocks import reduction_positions

STEM_MULTIPLIER = 3
"""Stem width of a supernet relative to the first cell, as published."""


class CellStack:
    """Order of the cells: `cells` normal cells in segments of equal length, separated by reduction cells.

    Cells are numbered from 0. A reduction cell first halves both of its inputs and doubles the width.

    Args:
        cells: number of normal cells.
        channels: width of the cells before the first reduction.
        stem: output channels of the stem, which the first cells read.
        reductions: number of reduction cells.

    Raises:
        UsageError: a value is out of range.
    """

    def __init__(self, *, cells: int, channels: int, stem: int, reductions: int) -> None:
        at_least(1, reductions=reductions)
        at_least(2, channels=channels)
        at_least(1, stem=stem)
        if cells <= reductions:
            raise UsageError("invalid_value", key="model.cells", must="greater than model.reductions", got=cells)
        after = reduction_positions(cells, reductions)
        self.reducing = [kind for cell in range(1, cells + 1) for kind in ([False, True] if cell in after else [False])]
        self.stage = [sum(self.reducing[: cell + 1]) for cell in range(len(self.reducing))]
        self.width = [channels << stage for stage in self.stage]
        self.stem = stem

    def __len__(self) -> int:
        return len(self.reducing)

    def read(self, cell: int, side: int) -> tuple[int, bool]:
        """Width of an input of a cell (side 0 is the older one), and whether it has twice the height of the cell."""
        source = cell - 2 + side
        if source < 0:
            return self.stem, self.stage[cell] > 0
        return self.width[source], self.stage[cell] > self.stage[source]
