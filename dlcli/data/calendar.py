"""Times that follow the end of a series."""

import numpy as np
import pandas as pd
from jaxtyping import Float

_RECENT = 200  # rows from which the frequency is inferred
_DAY = 86_400_000_000  # microseconds


def following(ticks: Float[np.ndarray, "step"], count: int, *, dated: bool) -> Float[np.ndarray, "count"]:
    """Continue the times of a series by `count` steps.

    The step of dates is their calendar frequency (month ends, business days ...) if the last rows have one, else the
    median step, as for numbers.

    Args:
        ticks: increasing times; microseconds since 1970 if `dated`.
        count: number of times to return.
        dated: whether the times are dates. Dates after a single row are unknown: NaN.
    """
    if len(ticks) < 2:  # one row does not say how long a step is
        return np.full(count, np.nan) if dated else ticks[-1] + np.arange(1, count + 1, dtype=np.float64)
    if dated and len(ticks) >= 3:
        dates = pd.DatetimeIndex(ticks[-_RECENT:].astype("datetime64[us]"))
        frequency = pd.infer_freq(dates)
        if frequency is not None:
            later = pd.date_range(dates[-1], periods=count + 1, freq=frequency)[1:]
            return later.as_unit("us").asi8.astype(np.float64)
    return ticks[-1] + np.median(np.diff(ticks)) * np.arange(1, count + 1)


def has_clock(ticks: Float[np.ndarray, "step"]) -> bool:
    """True if a date has a time of day."""
    return bool((ticks % _DAY != 0).any())


def iso(ticks: Float[np.ndarray, "step"], *, clock: bool) -> np.ndarray:
    """Return dates in ISO 8601; NaN becomes an empty text.

    Args:
        ticks: microseconds since 1970.
        clock: whether to write the time of day.
    """
    known = ~np.isnan(ticks)
    text = np.full(len(ticks), "", dtype=object)
    dates = pd.DatetimeIndex(ticks[known].astype("datetime64[us]"))
    text[known] = dates.strftime("%Y-%m-%dT%H:%M:%S" if clock else "%Y-%m-%d").to_numpy(dtype=object)
    return text
