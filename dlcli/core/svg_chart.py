"""Line charts as self-contained SVG, for artifacts of learners."""

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 130, 16, 44
_MAX_POINTS, _MAX_MARKERS = 400, 16  # of a line
_DASHES = ("", "7 4", "2 3")
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9")  # Okabe & Ito 2008
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}line{stroke:#8888}polyline{fill:none;stroke-width:1.8}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def line_chart(x: str, series: Mapping[str, Points], up: str = "", logarithmic: str = "") -> str:
    """Draw one line per series over a common horizontal axis; values that are not finite are omitted.

    Args:
        x: label of the horizontal axis.
        series: points (x, y) by name of the line.
        up: label of the vertical axis.
        logarithmic: logarithmic axes: "x", "y" or "xy".
    """
    log_axes = "x" in logarithmic, "y" in logarithmic
    drawable = {name: _thinned(_transformed(points, log_axes)) for name, points in series.items()}
    lines = {name: points for name, points in drawable.items() if points}
    x_scale, y_scale = (_scale([point[axis] for points in lines.values() for point in points]) for axis in (0, 1))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"><style>{_STYLE}</style>']
    parts += [*_vertical_axis(y_scale, up, log_axes[1]), *_horizontal_axis(x_scale, x, log_axes[0])]
    for index, (name, points) in enumerate(lines.items()):
        parts += _line(index, name, [(_x(px, x_scale), _y(py, y_scale)) for px, py in points])
    return "\n".join([*parts, "</svg>\n"])


def _line(index: int, name: str, points: Points) -> list[str]:
    """A line with its legend entry; colors repeat with other dashes, and short lines have markers."""
    color, dash = _COLORS[index % len(_COLORS)], _DASHES[index // len(_COLORS) % len(_DASHES)]
    stroke = f'stroke="{color}"' + (f' stroke-dasharray="{dash}"' if dash else "")
    parts = [f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" {stroke}/>']
    if len(points) <= _MAX_MARKERS:
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in points]
    top, left = _TOP + 14 + 18 * index, _WIDTH - _RIGHT + 8
    parts.append(f'<path d="M{left} {top - 4}h22" stroke-width="1.8" {stroke}/>')
    return [*parts, f'<text x="{left + 28}" y="{top}">{escape(name)}</text>']


def _transformed(points: Points, log_axes: tuple[bool, bool]) -> Points:
    """The finite points, with logarithms of the values on logarithmic axes; values of 0 and below are omitted there."""
    finite = [
        point for point in points
        if all(math.isfinite(value) and (value > 0 or not log) for value, log in zip(point, log_axes, strict=True))
    ]  # fmt: skip
    return [(math.log10(x) if log_axes[0] else x, math.log10(y) if log_axes[1] else y) for x, y in finite]


def _thinned(points: Points) -> Points:
    """At most 400 points at equal distances, and the last one."""
    step = -(-len(points) // _MAX_POINTS)
    return points if step <= 1 else [*points[::step], points[-1]]


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """Minimum and maximum of an axis; a constant value is centered in an axis of length 1."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _x(value: float, scale: tuple[float, float]) -> float:
    return _LEFT + (value - scale[0]) / (scale[1] - scale[0]) * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, scale: tuple[float, float]) -> float:
    return _HEIGHT - _BOTTOM - (value - scale[0]) / (scale[1] - scale[0]) * (_HEIGHT - _TOP - _BOTTOM)


def _ticks(scale: tuple[float, float]) -> list[float]:
    """About five round values inside a scale, at distances of 1, 2 or 5 times a power of ten."""
    distance = (scale[1] - scale[0]) / 5
    power = 10.0 ** math.floor(math.log10(distance))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= distance)
    first, last = math.ceil(scale[0] / step), math.floor(scale[1] / step)
    return [index * step for index in range(first, last + 1)]


def _labeled_ticks(scale: tuple[float, float], logarithmic: bool) -> list[tuple[float, str]]:
    """Tick positions and labels; on a logarithmic axis 1, 2 or 5 times a power of ten, or only powers of ten."""
    if not logarithmic:
        return [(tick, f"{tick:,.6g}") for tick in _ticks(scale)]
    decades = range(math.floor(scale[0]), math.ceil(scale[1]) + 1)
    step = -(-len(decades) // 8)
    for factors in ((1, 2, 5), (1,)):
        values = [factor * 10.0**power for power in decades[::step] for factor in factors]
        inside = [(math.log10(value), f"{value:,.6g}") for value in values if scale[0] <= math.log10(value) <= scale[1]]
        if len(inside) <= 9:
            return inside
    return inside


def _vertical_axis(scale: tuple[float, float], name: str, logarithmic: bool) -> list[str]:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    rotated = f'x="14" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 14 {middle:.0f})"'
    parts = [f"<text {rotated}>{escape(name)}</text>"] if name else []
    for tick, label in _labeled_ticks(scale, logarithmic):
        y = _y(tick, scale)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke-width="0.5"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    return parts


def _horizontal_axis(scale: tuple[float, float], name: str, logarithmic: bool) -> list[str]:
    base = _HEIGHT - _BOTTOM
    parts = [f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>']
    for tick, label in _labeled_ticks(scale, logarithmic):
        parts.append(f'<text x="{_x(tick, scale):.1f}" y="{base + 18}" text-anchor="middle">{label}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [*parts, f'<text x="{middle:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>']
