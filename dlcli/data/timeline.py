"""The rows of a table in the order of time, series by series, and where this order has gaps."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from dlcli.core.errors import UsageError
from dlcli.data.table import is_numeric, numbers

_logger = logging.getLogger("dlcli")

_REGULAR = 0.9  # of the steps are the usual one; below (business days: 0.8) rows count as steps
_CALLED = ("time", "date", "datetime", "timestamp", "year", "ds")  # numbers are times only under such a name


@dataclass(frozen=True)
class Timeline:
    """Rows in order, series after series.

    Args:
        frame: the rows; the index is the row of the file.
        time: the column that orders them; None is the file's order.
        group: the column that says which series a row belongs to; None has one series.
        ticks: when, as a number; without a time column the place in the series.
        series: which series a row belongs to.
        segment: which gapless stretch of a series it belongs to.
        observed: False for rows that fill a gap: copies of the row before it.
    """

    frame: pd.DataFrame
    time: str | None
    group: str | None
    ticks: Float[np.ndarray, "step"]
    series: Int[np.ndarray, "step"]
    segment: Int[np.ndarray, "step"]
    observed: Bool[np.ndarray, "step"]

    def others(self, target: str) -> list[str]:
        """Columns that say neither when, nor whose a row is, nor what is wanted."""
        return [name for name in self.frame.columns if name not in (target, self.time, self.group)]

    def places(self, rows: Int[np.ndarray, "sample"]) -> dict[str, list[Any]]:
        """When and whose the rows are, in the file's own words; the row of the file where it has no times."""
        frame = self.frame.iloc[rows]
        table = {"row": frame.index.tolist()} if self.time is None else {"time": frame[self.time].tolist()}
        return table if self.group is None else table | {"group": frame[self.group].tolist()}


def find_time(frame: pd.DataFrame, candidates: Sequence[str], group: str | None) -> str | None:
    """The first column of dates (or numbers called year, time or the like) that never go back in a series."""
    codes = _codes(frame, group)
    for name in candidates:
        text = frame[name]
        dated = text.str.contains(r"\d", na=False).all() and text.nunique() > 1
        if not dated or (is_numeric(text) and name.casefold() not in _CALLED):
            continue
        ticks = _ticks(text)
        if np.isfinite(ticks).all() and pd.Series(ticks).groupby(codes).is_monotonic_increasing.all():
            _logger.info("time is column %r", name)
            return name
    return None


def arrange(frame: pd.DataFrame, time: str | None, group: str | None, *, fill: int) -> Timeline:
    """Sort by series and time, find gaps, and fill those of at most `fill` missing steps.

    A step is the median one. Where fewer than nine in ten are this step there is none to miss: rows count.

    Raises:
        UsageError: a time cannot be read, or occurs twice in a series.
    """
    codes = _codes(frame, group)
    if time is None:
        ticks = pd.Series(codes).groupby(codes).cumcount().to_numpy(dtype=np.float64)
    else:
        ticks = _read_ticks(frame[time])
    order = np.lexsort((ticks, codes))
    frame, ticks, codes = frame.iloc[order], ticks[order], codes[order]
    follows = np.append(False, codes[1:] == codes[:-1])  # its predecessor is of the same series
    _check_twice(frame, time, group, follows & np.append(False, ticks[1:] == ticks[:-1]))
    absent = _absent_steps(np.diff(ticks, prepend=ticks[:1]), follows)
    filled = np.where((absent > 0) & (absent <= fill), absent, 0)
    _say_gaps(absent, filled)
    segment = np.cumsum(~follows | (absent != filled)) - 1
    copies = 1 + np.append(filled[1:], 0)
    rows = np.repeat(np.arange(len(frame)), copies)
    observed = np.append(True, rows[1:] != rows[:-1])
    return Timeline(frame.iloc[rows], time, group, ticks[rows], codes[rows], segment[rows], observed)


def _codes(frame: pd.DataFrame, group: str | None) -> Int[np.ndarray, "step"]:
    """The number of each row's series, in the order in which they appear."""
    if group is None:
        return np.zeros(len(frame), dtype=np.int64)
    return pd.factorize(frame[group], use_na_sentinel=False)[0].astype(np.int64)


def _ticks(text: pd.Series) -> Float[np.ndarray, "step"]:
    """Numbers as they are, dates as microseconds, else NaN. Day first where month first fails."""
    if is_numeric(text):
        return pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "could not infer format": then it is no date
        for day_first in (False, True):
            dates = pd.to_datetime(text, errors="coerce", utc=True, dayfirst=day_first).dt.tz_localize(None)
            if dates.notna().all():
                break
    micros = dates.to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(micros), np.nan, micros.astype(np.int64).astype(np.float64))


def _read_ticks(text: pd.Series) -> Float[np.ndarray, "step"]:
    ticks = numbers(text) if is_numeric(text) else _ticks(text)
    bad = np.flatnonzero(np.isnan(ticks))
    if bad.size:
        value = "nothing" if pd.isna(text.iloc[bad[0]]) else repr(text.iloc[bad[0]])
        raise UsageError(f"time column {text.name!r}: row {text.index[bad[0]]} has {value}, wanted a date or a number")
    return ticks


def _check_twice(frame: pd.DataFrame, time: str | None, group: str | None, twice: Bool[np.ndarray, "step"]) -> None:
    if not twice.any():
        return
    second = int(np.argmax(twice))
    within = "" if group is None else f" in {group} {frame[group].iloc[second]!r}"
    hint = "\nSeveral series in one file: task.group=COLUMN says which row is whose" if group is None else ""
    raise UsageError(
        f"{time} {frame[time].iloc[second]!r} occurs twice{within} "
        f"(rows {frame.index[second - 1]} and {frame.index[second]}; {int(twice.sum())} such rows){hint}"
    )


def _absent_steps(steps: Float[np.ndarray, "step"], follows: Bool[np.ndarray, "step"]) -> Int[np.ndarray, "step"]:
    """How many steps are missing before each row (-1: one too many); all 0 without a regular step."""
    absent = np.zeros(len(steps), dtype=np.int64)
    if not follows.any():
        return absent
    usual = np.median(steps[follows])
    absent[follows] = np.rint(steps[follows] / usual).astype(np.int64) - 1
    share = float((absent[follows] == 0).mean())
    if share >= _REGULAR:
        return absent
    _logger.info("time steps are irregular (%.0f %% are the median one): every row counts as one step", 100 * share)
    return np.zeros_like(absent)


def _say_gaps(absent: Int[np.ndarray, "step"], filled: Int[np.ndarray, "step"]) -> None:
    if absent.any():
        _logger.info(
            "%d time steps are missing in %d gaps; %d of them are filled, no window spans the others",
            int(absent.clip(min=0).sum()),
            int((absent != 0).sum()),
            int(filled.sum()),
        )
