"""Times that follow the end of a series."""

import numpy as np
import pandas as pd
from jaxtyping import Float

_RECENT = 200  # rows from which the frequency is inferred


def following(ticks: Float[np.ndarray, "step"], count: int, *, dated: bool) -> Float[np.ndarray, "count"]:
    """Continue the times of a series by `count` steps.

    The step of dates is their calendar frequency (month ends, business days ...) if the last rows have one, else the
    median step, as for numbers.

    Args:
        ticks: increasing times; microseconds since 1970 if `dated`.
        count: number of times to return.
        dated: whether the times are dates.
    """
    if len(ticks) < 2:
        return ticks[-1] + np.arange(1, count + 1, dtype=np.float64)
    if dated and len(ticks) >= 3:
        dates = pd.DatetimeIndex(ticks[-_RECENT:].astype("datetime64[us]"))
        frequency = pd.infer_freq(dates)
        if frequency is not None:
            later = pd.date_range(dates[-1], periods=count + 1, freq=frequency)[1:]
            return later.as_unit("us").asi8.astype(np.float64)
    return ticks[-1] + np.median(np.diff(ticks)) * np.arange(1, count + 1)


def iso(ticks: Float[np.ndarray, "step"]) -> np.ndarray:
    """Return dates in ISO 8601, without the time of day if all are midnights."""
    dates = pd.DatetimeIndex(ticks.astype("datetime64[us]"))
    midnights = bool((dates == dates.normalize()).all())
    return dates.strftime("%Y-%m-%d" if midnights else "%Y-%m-%dT%H:%M:%S").to_numpy(dtype=object)
