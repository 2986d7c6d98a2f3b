"""Curves in the terminal, drawn with braille characters."""

import math
import shutil
from collections.abc import Mapping, Sequence

import plotext

from dlcli.report.page import thin

Curve = tuple[Sequence[int | float], Sequence[int | float]]
_POINTS = 4  # per character: minimum and maximum of both braille columns


def draw(curves: Mapping[str, Curve], title: str, *, width: int | None = None, height: int = 16) -> str:
    """Draw curves over steps, with a logarithmic y-axis if the values span two powers of ten.

    Args:
        curves: (steps, values) by name; values that are not finite are ignored.
        title: name of the quantity.
        width: width in characters; None for that of the terminal, at most 100.
        height: height in lines.

    Returns:
        a block of text.
    """
    columns = width or min(100, shutil.get_terminal_size().columns)
    visible = {name: curve for name, pair in curves.items() if (curve := _visible(pair, _POINTS * columns))[0]}
    if not visible:
        return f"{title}: nothing to draw yet"
    values = [value for _, ys in visible.values() for value in ys]
    logarithmic = min(values) > 0 and max(values) / min(values) > 100
    plotext.clear_figure()
    plotext.theme("clear")
    for name, (steps, ys) in visible.items():
        shown = [math.log10(y) for y in ys] if logarithmic else list(ys)
        plotext.plot(list(steps), shown, label=name, marker="braille")
    plotext.title(f"log10 {title}" if logarithmic else title)
    plotext.xlabel("step")
    plotext.plotsize(columns, height)
    return plotext.uncolorize(plotext.build())


def _visible(curve: Curve, most: int) -> tuple[list[int | float], list[int | float]]:
    """Finite points, decimated to at most `most` without a visible difference."""
    steps, values = curve
    indices = [index for index in thin.kept(values, most) if math.isfinite(values[index])]
    return [steps[index] for index in indices], [values[index] for index in indices]
