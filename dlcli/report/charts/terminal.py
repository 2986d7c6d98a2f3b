"""A curve drawn with characters."""

import math
import shutil
from collections.abc import Mapping, Sequence

import plotext

from dlcli.report.page import thin

Curve = tuple[Sequence[int | float], Sequence[int | float]]
_POINTS = 4  # per column of characters: the least and the greatest value of both braille columns


def draw(curves: Mapping[str, Curve], title: str, *, width: int | None = None, height: int = 16) -> str:
    """Curves over steps as a block of text, the vertical axis logarithmic where values span two powers of ten.

    Args:
        curves: (steps, values) by name; values that are not finite are left out.
        title: what is drawn.
        width: in characters; the terminal's, at most 100, when not given.
    """
    columns = width or min(100, shutil.get_terminal_size().columns)
    kept = {name: curve for name, pair in curves.items() if (curve := _visible(pair, _POINTS * columns))[0]}
    if not kept:
        return f"{title}: nothing to draw yet"
    values = [value for _, ys in kept.values() for value in ys]
    logarithmic = min(values) > 0 and max(values) / min(values) > 100
    plotext.clear_figure()
    plotext.theme("clear")
    for name, (steps, ys) in kept.items():
        shown = [math.log10(y) for y in ys] if logarithmic else list(ys)
        plotext.plot(list(steps), shown, label=name, marker="braille")
    plotext.title(f"log10 {title}" if logarithmic else title)
    plotext.xlabel("step")
    plotext.plotsize(columns, height)
    return plotext.uncolorize(plotext.build())


def _visible(curve: Curve, most: int) -> tuple[list[int | float], list[int | float]]:
    """The finite points, thinned to at most `most` of them without a visible difference."""
    steps, values = curve
    places = [place for place in thin.kept(values, most) if math.isfinite(values[place])]
    return [steps[place] for place in places], [values[place] for place in places]
