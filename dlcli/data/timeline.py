"""Rows of a table in time order, series by series, and the gaps in this order."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from dlcli.core.errors import UsageError
from dlcli.data.calendar import following, has_clock, iso
from dlcli.data.dates import READINGS, Times, combined, is_clock, parts_of, read_times, readable_share, try_times
from dlcli.data.table import TIME_NAMES, is_numeric

_logger = logging.getLogger("dlcli")

_REGULAR = 0.9  # smallest share of median steps of a regular series (business days: 0.8); below, each row is a step
_GROUPS = 0.5  # largest number of series in relation to the rows

FILE_ORDER = "row"
"""Value of `task.time` for rows whose order in the file is the time order."""


@dataclass(frozen=True)
class Timeline:
    """Rows in order, series after series.

    Args:
        frame: the rows; the index is the row number in the file.
        time: the columns that order the rows; empty for the order of the file.
        reading: how the times are read, see `dates.READINGS`; None without time columns.
        group: column of the series id; None for a single series.
        ticks: times as numbers; without a time column the position in the series.
        series: number of the series by row.
        segment: number of the gapless stretch of a series by row.
        observed: False for rows that fill a gap (copies of the row before).
    """

    frame: pd.DataFrame
    time: Sequence[str]
    reading: str | None
    group: str | None
    ticks: Float[np.ndarray, "step"]
    series: Int[np.ndarray, "step"]
    segment: Int[np.ndarray, "step"]
    observed: Bool[np.ndarray, "step"]

    def others(self, target: str) -> list[str]:
        """Columns that are neither target nor time nor group."""
        return [name for name in self.frame.columns if name not in (target, *self.time, self.group)]

    def places(self, rows: Int[np.ndarray, "sample"]) -> dict[str, list[Any]]:
        """Time (or row number of the file) and group of rows, as written in the file."""
        frame = self.frame.iloc[rows]
        if not self.time:
            table = {"row": frame.index.tolist()}
        elif len(self.time) == 1:
            table = {"time": frame[self.time[0]].astype("str").tolist()}
        else:
            table = {"time": combined(frame, self.time).tolist()}
        return table if self.group is None else table | {"group": frame[self.group].tolist()}

    def origins(self, rows: Int[np.ndarray, "sample"]) -> dict[str, np.ndarray]:
        """Columns `row` (of the file), the series id and, with a time column, `time` of rows."""
        columns = {"row": self.frame.index.to_numpy()[rows]}
        if self.group is not None:
            columns[self.group] = self.frame[self.group].to_numpy(dtype=object)[rows]
        return columns | ({"time": self._format(self.ticks[rows])} if self.time else {})

    def times_after(self, rows: Int[np.ndarray, "sample"], count: int) -> np.ndarray:
        """Times of the `count` steps after each row, object [sample, count]; beyond a series its calendar continues."""
        steps = rows[:, None] + np.arange(1, count + 1)
        inside = np.minimum(steps, len(self.series) - 1)
        known = (steps < len(self.series)) & (self.series[inside] == self.series[rows][:, None])
        times = np.where(known, self.ticks[inside], np.nan)
        for series in np.unique(self.series[rows[~known.all(1)]]):
            own = np.flatnonzero(self.series == series)
            later = following(np.unique(self.ticks[own]), count, dated=self._dated)
            beyond = (self.series[rows] == series)[:, None] & ~known
            times[beyond] = later[(steps - own[-1] - 1)[beyond]]
        return self._format(times.ravel()).reshape(times.shape)

    @property
    def _dated(self) -> bool:
        return self.reading not in (None, "number")

    def _format(self, ticks: Float[np.ndarray, "step"]) -> np.ndarray:
        """Times as text: dates in ISO 8601, whatever the file's own format; numbers as they are."""
        return iso(ticks, clock=has_clock(self.ticks)) if self._dated else ticks.astype(object)


def find_time(
    frame: pd.DataFrame, candidates: Sequence[str], group: str | None, date_format: str | None
) -> tuple[Sequence[str], Times | None]:
    """Find the time columns: a column of dates, or of numbers under a customary name, without repeated times.

    Dates may be spread over several columns: a date and a time of day, or year, month, day and so on.

    Returns:
        The names of the columns, empty if there is none, and their times.

    Raises:
        UsageError: times repeat in a series, or two readings of the dates are equally regular.
    """
    codes = _codes(frame, group)
    repeated = None
    for name in candidates:
        if not _may_be_time(frame[name]):
            continue
        times = try_times(frame[name], codes, date_format)
        if times is None:
            if name.casefold() in TIME_NAMES and readable_share(frame[name]) > _REGULAR:
                read_times(frame[name], codes, date_format)  # raises the error that names the cell
        elif not times.unique:
            repeated = repeated or name
        elif times.dated or times.kept or times.irregular <= (1 - _REGULAR) * len(frame):
            return [name], times
        else:
            _logger.warning("column %r is not used as time: its numbers are neither sorted nor regular "
                            "(task.time=%s sorts the rows by it)", name, name)  # fmt: skip
    for columns in _combinations(frame, candidates, repeated):
        times = try_times(combined(frame, columns), codes, date_format)
        if times is not None and times.unique:
            return columns, times
    if repeated is not None:
        raise _repeats(frame, repeated, group, candidates)
    return [], None


def _may_be_time(column: pd.Series) -> bool:
    """Text with digits; numbers under a customary name, or whole numbers such as 20190131."""
    if column.isna().any() or column.nunique() < 2 or is_clock(column):
        return False
    if str(column.name).casefold() in TIME_NAMES:
        return True
    if pd.api.types.is_integer_dtype(column.dtype):
        dates = (
            column.between(18000101, 22001231) & (column % 100).between(1, 31) & (column // 100 % 100).between(1, 12)
        )
        return bool(dates.all())
    return not is_numeric(column) and bool(column.str.contains(r"\d").all())


def _combinations(frame: pd.DataFrame, candidates: Sequence[str], repeated: str | None) -> list[list[str]]:
    clocks = [name for name in candidates if frame[name].notna().all() and is_clock(frame[name])]
    pairs = [[repeated, clock] for clock in clocks[:1]] if repeated is not None else []
    parts = parts_of(candidates)
    return [*pairs, *([parts] if parts else [])]


def _repeats(frame: pd.DataFrame, time: str, group: str | None, candidates: Sequence[str]) -> UsageError:
    """The error of a time column with repeated times, with the column that tells the series apart if there is one."""
    twice = frame.duplicated([time] if group is None else [time, group], keep=False)
    second = int(np.flatnonzero(frame.duplicated([time] if group is None else [time, group]))[0])
    problem = f"{frame[time].iloc[second]!r} occurs more than once ({int(twice.sum())} such rows)"
    ids = [
        name for name in candidates
        if name != time and frame[name].nunique() <= _GROUPS * len(frame) and not frame.duplicated([name, time]).any()
    ]  # fmt: skip
    name = ids[0] if ids and group is None else "COLUMN"
    hint = (
        f"Several series in one file: task.group={name}. Rows without a time order: task=table. "
        f"Rows in time order without a time column: task.time={FILE_ORDER}."
    )
    return UsageError("invalid_data", path=f"time column {time!r}", problem=problem, hint=hint)


def arrange(
    frame: pd.DataFrame,
    time: Sequence[str],
    group: str | None,
    *,
    fill: int,
    date_format: str | None = None,
    times: Times | None = None,
) -> Timeline:
    """Sort rows by series and time, find gaps, and fill those of at most `fill` missing steps.

    The step is the median one. If fewer than nine in ten steps are equal to it, every row counts as one step.

    Args:
        frame: the rows.
        time: the columns that order them; empty for the order of the file.
        group: column of the series id.
        fill: longest gap that is filled, in steps.
        date_format: see `dates.read_times`.
        times: the times, if they have been read.

    Raises:
        UsageError: a time cannot be read, or occurs twice in a series.
    """
    codes = _codes(frame, group)
    if not time:
        ticks = pd.Series(codes).groupby(codes).cumcount().to_numpy(dtype=np.float64)
        date_format = None
    else:
        if times is None:
            times = read_times(_text(frame, time), codes, date_format)
        ticks, date_format = times.ticks, times.reading
        _log_times(time, times)
    order = np.lexsort((ticks, codes))
    frame, ticks, codes = frame.iloc[order], ticks[order], codes[order]
    follows = np.append(False, codes[1:] == codes[:-1])  # the predecessor belongs to the same series
    _check_twice(frame, time, group, follows & np.append(False, ticks[1:] == ticks[:-1]))
    absent = _absent_steps(np.diff(ticks, prepend=ticks[:1]), follows)
    filled = np.where((absent > 0) & (absent <= fill), absent, 0)
    _log_gaps(absent, filled)
    segment = np.cumsum(~follows | (absent != filled)) - 1
    copies = 1 + np.append(filled[1:], 0)
    rows = np.repeat(np.arange(len(frame)), copies)
    observed = np.append(True, rows[1:] != rows[:-1])
    return Timeline(frame.iloc[rows], time, date_format, group, ticks[rows], codes[rows], segment[rows], observed)


def _text(frame: pd.DataFrame, time: Sequence[str]) -> pd.Series:
    return frame[time[0]] if len(time) == 1 else combined(frame, time)


def _codes(frame: pd.DataFrame, group: str | None) -> Int[np.ndarray, "step"]:
    """The number of the series by row; numbers follow the sorted ids, so that they do not depend on the row order."""
    if group is None:
        return np.zeros(len(frame), dtype=np.int64)
    return pd.factorize(frame[group], sort=True, use_na_sentinel=False)[0].astype(np.int64)


def _log_times(time: Sequence[str], times: Times) -> None:
    """Log columns, reading and range in one line."""
    if not times.dated:
        span = f"{times.ticks.min():g} to {times.ticks.max():g}"
    else:
        first, last = (
            np.datetime64(int(tick), "us").astype("datetime64[s]") for tick in (times.ticks.min(), times.ticks.max())
        )
        span = f"{first} to {last}".replace("T00:00:00", "")
    order = "" if times.kept and times.ticks[0] <= times.ticks[-1] else ", rows sorted (oldest first)"
    reading = READINGS.get(times.reading, times.reading)
    _logger.info("time: %s, read as %s, %s%s", " + ".join(map(repr, time)), reading, span, order)


def _check_twice(frame: pd.DataFrame, time: Sequence[str], group: str | None, twice: Bool[np.ndarray, "step"]) -> None:
    """Check that no time occurs twice in a series.

    Raises:
        UsageError: one does.
    """
    if not twice.any():
        return
    second = int(np.argmax(twice))
    within = "" if group is None else f" in {group} {frame[group].iloc[second]!r}"
    rows = f"rows {frame.index[second - 1]} and {frame.index[second]}"
    text = _text(frame, time)
    problem = f"{text.iloc[second]!r} occurs twice{within} ({rows}; {int(twice.sum())} such rows)"
    hint = "Several series in one file: task.group=COLUMN is the column of the series id." if group is None else ""
    raise UsageError("invalid_data", path=f"time column {text.name!r}", problem=problem, hint=hint)


def _absent_steps(steps: Float[np.ndarray, "step"], follows: Bool[np.ndarray, "step"]) -> Int[np.ndarray, "step"]:
    """Number of missing steps before each row (-1: one step too many); 0 everywhere if steps are irregular."""
    absent = np.zeros(len(steps), dtype=np.int64)
    if not follows.any():
        return absent
    usual = np.median(steps[follows])
    absent[follows] = np.rint(steps[follows] / usual).astype(np.int64) - 1
    share = float((absent[follows] == 0).mean())
    if share >= _REGULAR:
        return absent
    _logger.info("time steps are irregular (%.0f %% equal the median step): every row counts as one step", 100 * share)
    return np.zeros_like(absent)


def _log_gaps(absent: Int[np.ndarray, "step"], filled: Int[np.ndarray, "step"]) -> None:
    if absent.any():
        _logger.info(
            "%d missing time steps in %d gaps, %d of them filled; no window spans the others (task.gaps=fill fills "
            "gaps of up to task.max_gap steps)",
            int(absent.clip(min=0).sum()),
            int((absent != 0).sum()),
            int(filled.sum()),
        )
