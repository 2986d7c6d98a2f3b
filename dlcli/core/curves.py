"""Curves as an SVG that needs nothing else: what learners leave of how it went."""

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 130, 16, 44
_MOST = 400  # points of a curve that are drawn
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")  # Okabe & Ito 2008
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}line{stroke:#8888}polyline{fill:none;stroke-width:1.8}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def svg(x: str, series: Mapping[str, Points]) -> str:
    """One line a series over a common axis named `x`; values that are not finite are left out."""
    kept = {
        name: _thinned([point for point in points if all(map(math.isfinite, point))]) for name, points in series.items()
    }
    across, up = (
        _scale([point[0] for points in kept.values() for point in points]),
        _scale([point[1] for points in kept.values() for point in points]),
    )
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"><style>{_STYLE}</style>']
    parts += [*_upright(up), *_level(across, x)]
    for place, (name, points) in enumerate(kept.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        line = " ".join(f"{_x(px, across):.1f},{_y(py, up):.1f}" for px, py in points)
        parts.append(f'<polyline points="{line}" stroke="{colour}"/>')
        here = _TOP + 14 + 18 * place
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 12}" y="{here - 9}" width="14" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 32}" y="{here}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _thinned(points: Points) -> Points:
    """Every so many, and the last."""
    step = -(-len(points) // _MOST)
    return points if step <= 1 else [*points[::step], points[-1]]


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the greatest; an axis without a length is given one."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _x(value: float, scale: tuple[float, float]) -> float:
    return _LEFT + (value - scale[0]) / (scale[1] - scale[0]) * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, scale: tuple[float, float]) -> float:
    return _HEIGHT - _BOTTOM - (value - scale[0]) / (scale[1] - scale[0]) * (_HEIGHT - _TOP - _BOTTOM)


def _ticks(scale: tuple[float, float]) -> list[float]:
    """About five round values inside a scale: 1, 2 or 5 times a power of ten apart."""
    rough = (scale[1] - scale[0]) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(scale[0] / step), math.floor(scale[1] / step)
    return [number * step for number in range(first, last + 1)]


def _upright(scale: tuple[float, float]) -> list[str]:
    parts = []
    for tick in _ticks(scale):
        y = _y(tick, scale)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke-width="0.5"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    return parts


def _level(scale: tuple[float, float], name: str) -> list[str]:
    base = _HEIGHT - _BOTTOM
    parts = [f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>']
    for tick in _ticks(scale):
        parts.append(f'<text x="{_x(tick, scale):.1f}" y="{base + 18}" text-anchor="middle">{tick:,.6g}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [*parts, f'<text x="{middle:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>']
