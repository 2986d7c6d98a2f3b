"""Formatting of numbers, durations, times and sizes."""

import math
from datetime import datetime


def number(value: int | float, digits: int = 4) -> str:
    """Format with significant digits, in scientific notation only for very small and very large values."""
    if not math.isfinite(value):
        return str(value)
    if value != 0 and (abs(value) < 10.0 ** -(digits - 1) or abs(value) >= 1e6):
        return f"{value:.{digits - 1}e}"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.1f}"


def duration(seconds: int | float) -> str:
    """Format a duration: `12.3 s`, `4 min 05 s`, `2 h 03 min`."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def moment(stamp: str) -> str:
    """Format an ISO timestamp to the minute, in local time."""
    return f"{datetime.fromisoformat(stamp).astimezone():%Y-%m-%d %H:%M}"


def size(count: int) -> str:
    """Format a number of bytes in decimal units: `812 B`, `3.2 kB`, `1.4 GB`."""
    power = min(4, max(0, len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.1f} {'kMGT'[power - 1]}B" if power else f"{count} B"
