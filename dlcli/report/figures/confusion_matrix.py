"""Confusion matrix as an image."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.report.figures.colormap import DEPTH, apply_colormap
from dlcli.report.figures.sheet import LETTER, Sheet, TextLabel, truncate_text
from dlcli.report.sanitize import one_line

MAX_CLASSES = 200
"""Largest number of classes of an image."""

_CELLS = ((12, 40), (25, 30), (50, 18), (MAX_CLASSES, 10))  # (most classes, pixels of a cell)
_COUNTED = 30  # smallest cell in pixels that shows its count
_NAMES = 140  # pixels of the longest name
_MARGIN, _TITLE = 14, 34
_QUIET = "#5d6673"


def draw_confusion_matrix(title: str, names: Sequence[str], counts: Int[Tensor, "true predicted"]) -> Sheet:
    """Draw true classes as rows and predicted classes as columns, with counts as text and row fractions as colors.

    Args:
        title: heading.
        names: names of the classes.
        counts: number of samples by true and predicted class.
    """
    side = next(pixels for most, pixels in _CELLS if len(names) <= most)
    size = min(12, side - 2)
    labels = [truncate_text(one_line(name), _NAMES, size) for name in names]
    long = max(map(len, labels)) * size * LETTER
    turned = long > side - 4
    left, top = round(_MARGIN + 22 + long + 8), round(_TITLE + 24 + (long if turned else size) + 10)
    length = side * len(names)
    sheet = Sheet.blank(top + length + _MARGIN, max(left + length + _MARGIN, 420))
    sheet.put(_cells(counts, side), left, top)
    sheet.words += [
        TextLabel(truncate_text(one_line(title), sheet.pixels.shape[1] - 2 * _MARGIN, 14), _MARGIN, 18, 14),
        TextLabel("predicted", left + length / 2, _TITLE + 10, 12, "center", _QUIET),
        TextLabel("true", _MARGIN + 6, top + length / 2, 12, "center", _QUIET, turned=True),
    ]
    for index, name in enumerate(labels):
        middle = (index + 0.5) * side
        sheet.words.append(TextLabel(name, left - 8, top + middle, size, "right"))
        across = "left" if turned else "center"
        sheet.words.append(TextLabel(name, left + middle, top - (8 if turned else 14), size, across, turned=turned))
    if side >= _COUNTED:
        sheet.words += _numbers(counts, side, left, top)
    return sheet


def row_fractions(counts: Int[Tensor, "true predicted"]) -> Tensor:
    """Fractions of each row; zeros in a row without samples."""
    return counts / counts.sum(1, keepdim=True).clamp(min=1)


def _cells(counts: Int[Tensor, "true predicted"], side: int) -> Tensor:
    """Cells colored by the square root of the row fraction, which makes small fractions visible."""
    cells = apply_colormap(row_fractions(counts).sqrt(), DEPTH).repeat_interleave(side, 0).repeat_interleave(side, 1)
    lines = torch.arange(0, len(cells), side)
    cells[lines] = cells[:, lines] = 0.88
    cells[-1] = cells[:, -1] = 0.88
    return cells


def _numbers(counts: Int[Tensor, "true predicted"], side: int, left: int, top: int) -> list[TextLabel]:
    share = row_fractions(counts)
    return [
        TextLabel(
            str(int(counts[row, column])), left + (column + 0.5) * side, top + (row + 0.5) * side, 11, "center",
            "#ffffff" if share[row, column] > 0.3 else "#1b1f24",
        )
        for row, column in counts.nonzero().tolist()
    ]  # fmt: skip
