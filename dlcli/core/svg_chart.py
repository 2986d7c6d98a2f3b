"""Curves as an SVG that needs nothing else: what learners leave of how it went."""

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 130, 16, 44
_MOST, _MARKED = 400, 16  # points of a curve that are drawn, and so many are marked
_DASHES = ("", "7 4", "2 3")
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")  # Okabe & Ito 2008
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}line{stroke:#8888}polyline{fill:none;stroke-width:1.8}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def svg(x: str, series: Mapping[str, Points], up: str = "", logarithmic: str = "") -> str:
    """One line a series over a common axis named `x`; values that are not finite are left out.

    Args:
        up: name of the other axis.
        logarithmic: axes that go by factors: "x", "y" or "xy".
    """
    by_factor = "x" in logarithmic, "y" in logarithmic
    found = {name: _thinned(_finite(points, by_factor)) for name, points in series.items()}
    kept = {name: points for name, points in found.items() if points}
    across, high = (_scale([point[axis] for points in kept.values() for point in points]) for axis in (0, 1))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"><style>{_STYLE}</style>']
    parts += [*_upright(high, up, by_factor[1]), *_level(across, x, by_factor[0])]
    for place, (name, points) in enumerate(kept.items()):
        parts += _line(place, name, [(_x(px, across), _y(py, high)) for px, py in points])
    return "\n".join([*parts, "</svg>\n"])


def _line(place: int, name: str, points: Points) -> list[str]:
    """A series and its name; colours come again with other dashes, and few points are marked."""
    colour, dash = _COLOURS[place % len(_COLOURS)], _DASHES[place // len(_COLOURS) % len(_DASHES)]
    stroke = f'stroke="{colour}"' + (f' stroke-dasharray="{dash}"' if dash else "")
    parts = [f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" {stroke}/>']
    if len(points) <= _MARKED:
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points]
    here, left = _TOP + 14 + 18 * place, _WIDTH - _RIGHT + 8
    parts.append(f'<path d="M{left} {here - 4}h22" stroke-width="1.8" {stroke}/>')
    return [*parts, f'<text x="{left + 28}" y="{here}">{escape(name)}</text>']


def _finite(points: Points, by_factor: tuple[bool, bool]) -> Points:
    """Points that can be drawn, as their logarithms where an axis goes by factors."""
    able = [
        point for point in points
        if all(math.isfinite(value) and (value > 0 or not log) for value, log in zip(point, by_factor, strict=True))
    ]  # fmt: skip
    return [(_logarithm(x, by_factor[0]), _logarithm(y, by_factor[1])) for x, y in able]


def _logarithm(value: float, wanted: bool) -> float:
    return math.log10(value) if wanted else value


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


def _named(scale: tuple[float, float], by_factor: bool) -> list[tuple[float, str]]:
    """Round values and their words; of an axis by factors 1, 2 or 5 times a power of ten, or powers alone."""
    if not by_factor:
        return [(tick, f"{tick:,.6g}") for tick in _ticks(scale)]
    decades = range(math.floor(scale[0]), math.ceil(scale[1]) + 1)
    step = -(-len(decades) // 8)
    for factors in ((1, 2, 5), (1,)):
        values = [factor * 10.0**power for power in decades[::step] for factor in factors]
        inside = [(math.log10(value), f"{value:,.6g}") for value in values if scale[0] <= math.log10(value) <= scale[1]]
        if len(inside) <= 9:
            return inside
    return inside


def _upright(scale: tuple[float, float], name: str, by_factor: bool) -> list[str]:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    turned = f'x="14" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 14 {middle:.0f})"'
    parts = [f"<text {turned}>{escape(name)}</text>"] if name else []
    for tick, label in _named(scale, by_factor):
        y = _y(tick, scale)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke-width="0.5"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    return parts


def _level(scale: tuple[float, float], name: str, by_factor: bool) -> list[str]:
    base = _HEIGHT - _BOTTOM
    parts = [f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>']
    for tick, label in _named(scale, by_factor):
        parts.append(f'<text x="{_x(tick, scale):.1f}" y="{base + 18}" text-anchor="middle">{label}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [*parts, f'<text x="{middle:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>']
