"""A curve drawn with characters."""

import math
import shutil
from collections.abc import Mapping, Sequence

import plotext

Curve = tuple[Sequence[int | float], Sequence[int | float]]


def draw(curves: Mapping[str, Curve], title: str, *, width: int | None = None, height: int = 16) -> str:
    """Curves over steps as a block of text, the vertical axis logarithmic where values span two powers of ten.

    Args:
        curves: (steps, values) by name; values that are not finite are left out.
        title: what is drawn.
        width: in characters; the terminal's, at most 100, when not given.
    """
    kept = {name: curve for name, pair in curves.items() if (curve := _finite(pair))[0]}
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
    plotext.plotsize(width or min(100, shutil.get_terminal_size().columns), height)
    return plotext.uncolorize(plotext.build())


def _finite(curve: Curve) -> tuple[list[int | float], list[int | float]]:
    pairs = [(step, value) for step, value in zip(*curve, strict=True) if math.isfinite(value)]
    return [step for step, _ in pairs], [value for _, value in pairs]
