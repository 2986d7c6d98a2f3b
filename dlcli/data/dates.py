"""Readings of a time column: all candidate date formats are weighed, and the most regular one is chosen."""

import calendar
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dlcli.core.errors import UsageError

_MONTHS = {"sept"} | {name.lower() for names in (calendar.month_name, calendar.month_abbr) for name in names if name}
_NUMERIC = re.compile(r"(\d{1,4})([-/. ])(\d{1,2})\2(\d{1,4})(?!\d)")
_PAIR = re.compile(r"(\d{4}|\d{1,2})([-/. M])(\d{4}|\d{1,2})(?!\d)")
_NAMED = (
    (re.compile(r"(\d{1,2})([-/. ]*)([A-Za-z]{3,9})([-/., ]*)(\d{4}|\d{2})(?!\d)"), "dMy"),
    (re.compile(r"([A-Za-z]{3,9})([-/. ]*)(\d{1,2})([-/., ]+)(\d{4})(?!\d)"), "Mdy"),
    (re.compile(r"(\d{4})([-/. ]*)([A-Za-z]{3,9})([-/. ]*)(\d{1,2})(?!\d)"), "yMd"),
    (re.compile(r"([A-Za-z]{3,9})([-/. ']*)(\d{4}|\d{2})(?!\d)"), "My"),
    (re.compile(r"(\d{4})([-/. ]*)([A-Za-z]{3,9})"), "yM"),
)
_CLOCK = re.compile(
    r"(T|[ ,]+)(\d{1,2})(?:([:.h])(\d{2}))?(?:([:.])(\d{2}))?(?:([.,])(\d{1,9}))?"
    r"( ?)([AaPp][Mm])?( ?)(Z|UTC|[+-]\d{2}:?\d{2})?"
)
_QUARTER = re.compile(r"(\d{4})[-/ ]?Q([1-4])")
_COMPACT = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS = (1800, 2200)  # of dates that are written without separators
_PIVOT = 69  # two-digit years below are 20xx in POSIX
_FORMATS = 6  # most formats that one column may mix, such as days with and without a clock time

READINGS = {
    "year_first": "year first",
    "day_first": "day first",
    "month_first": "month first",
    "year_month": "year and month",
    "named_month": "named months",
    "compact": "digits yyyymm, yyyymmdd or yyyymmddhh",
    "number": "numbers",
}
"""Accepted values of `task.date_format` beside strptime formats, and what they mean."""


@dataclass(frozen=True)
class Times:
    """A column as points in time.

    Args:
        ticks: microseconds since 1970 (dates) or the numbers themselves, by row.
        reading: key of `READINGS`, or a strptime format.
        kept: True if no time is earlier than that of the row before it in the same series, or none is later.
        irregular: number of steps between neighboring times that differ from the median step.
        unique: True if no time occurs twice in a series.
    """

    ticks: Float[np.ndarray, "step"]
    reading: str
    kept: bool
    irregular: int
    unique: bool

    @property
    def dated(self) -> bool:
        """False if the times are plain numbers."""
        return self.reading != "number"


def read_times(text: pd.Series, codes: Int[np.ndarray, "step"], date_format: str | None) -> Times:
    """Read a time column in the given format, or in the most regular one that keeps the order of the file.

    Args:
        text: the cells, as text or numbers.
        codes: number of the series by row.
        date_format: key of `READINGS` or a strptime format; None: weighed.

    Raises:
        UsageError: a cell cannot be read, the format is unknown, or two readings are equally regular.
    """
    _check_format(date_format)
    cells = _as_text(text)
    times = [_weigh(ticks, name, codes) for name, ticks in _complete_readings(cells, codes, date_format).items()]
    if not times:
        raise _unreadable(cells, date_format)
    best = min(times, key=_rank)
    for other in times:
        if other is not best and _rank(other) == _rank(best) and other.dated and best.dated:
            if np.array_equal(other.ticks, best.ticks):
                continue
            first, second = READINGS[best.reading], READINGS[other.reading]
            problem = f"{str(cells.iloc[0])!r} and all other values can be read {first} or {second}, equally regular"
            hint = f"Set task.date_format={best.reading} or task.date_format={other.reading}."
            raise UsageError("invalid_data", path=f"time column {text.name!r}", problem=problem, hint=hint)
    return best


def try_times(text: pd.Series, codes: Int[np.ndarray, "step"], date_format: str | None) -> Times | None:
    """As `read_times`; None if a cell cannot be read.

    Raises:
        UsageError: two readings are equally regular.
    """
    _check_format(date_format)
    if date_format is None and not _complete_readings(_as_text(text).iloc[:50], codes[:50], None):
        return None
    try:
        return read_times(text, codes, date_format)
    except UsageError as error:
        if error.code == "invalid_data":
            raise
        return None


def _check_format(date_format: str | None) -> None:
    """Check `task.date_format`.

    Raises:
        UsageError: it is neither the name of a reading nor a strptime format.
    """
    if date_format is not None and date_format not in READINGS and "%" not in date_format:
        must = f"one of {', '.join(READINGS)} or a strptime format such as %d/%m/%Y"
        raise UsageError("invalid_value", key="task.date_format", must=must, got=date_format)


def _rank(times: Times) -> tuple[bool, int]:
    return not times.kept, times.irregular


def _as_text(text: pd.Series) -> pd.Series:
    """Cells as text; whole numbers without a decimal point."""
    if pd.api.types.is_float_dtype(text.dtype) and (text.dropna() % 1 == 0).all():
        text = text.astype("Int64")
    cells = text.astype(object).where(text.notna(), None).astype("str")
    if cells.str.contains("Q", regex=False, na=False).all():
        months = cells.str.extract(_QUARTER.pattern).astype(float)
        if months.notna().all(axis=None):
            return months[0].astype(int).astype("str") + "-" + (3 * months[1] - 2).astype(int).astype("str")
    return cells


def _unreadable(cells: pd.Series, date_format: str | None) -> UsageError:
    """The error that names the first cell which the reading of most cells does not fit."""
    parts = {name: _read(cells, name) for name in ([date_format] if date_format else READINGS)}
    bad = min((np.isnan(ticks) for ticks in parts.values()), key=lambda missing: missing.sum())
    position = int(np.argmax(bad))
    cell = cells.iloc[position]
    return UsageError(
        "invalid_value",
        key=f"row {cells.index[position]} of time column {cells.name!r}",
        must="a date or a number" if date_format is None else f"a date in the format {date_format}",
        got="an empty cell" if pd.isna(cell) else str(cell),
        hint="task.date_format sets the format, for example day_first or %d/%m/%Y.",
    )


def readable_share(text: pd.Series) -> float:
    """The largest share of cells that one reading can parse."""
    cells = _as_text(text)
    return max(float((~np.isnan(_read(cells, name))).mean()) for name in READINGS if name != "number")


def _complete_readings(
    cells: pd.Series, codes: Int[np.ndarray, "step"], date_format: str | None
) -> Mapping[str, Float[np.ndarray, "step"]]:
    """Ticks by reading, for those readings that parse every cell."""
    complete = {}
    for name in [date_format] if date_format else READINGS:
        ticks = _read(cells, name)
        if len(ticks) and not np.isnan(ticks).any():
            complete[name] = _with_century(ticks, cells, name, codes)
    if {"compact", "number"} <= complete.keys():  # equally regular within one month: dates
        compact, number = (_rank(_weigh(complete[name], "", codes)) for name in ("compact", "number"))
        if compact <= number:
            del complete["number"]
    return complete


def _read(cells: pd.Series, reading: str) -> Float[np.ndarray, "step"]:
    """Ticks of one reading, NaN where a cell does not fit it."""
    if reading == "number":
        values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        return np.where(np.isfinite(values), values, np.nan)
    if reading == "compact":
        return _compact(cells)
    if "%" in reading:
        return _parsed(cells, reading)
    order = _ORDERS[reading]
    ticks = np.full(len(cells), np.nan)
    todo = np.flatnonzero(cells.notna().to_numpy())
    for _ in range(_FORMATS):
        if not todo.size or (date_format := order(cells.iloc[todo[0]])) is None:
            break
        ticks[todo] = _parsed(cells.iloc[todo], date_format)
        if np.isnan(ticks[todo[0]]):
            break
        todo = todo[np.isnan(ticks[todo])]
    return ticks


def _parsed(cells: pd.Series, date_format: str) -> Float[np.ndarray, "step"]:
    try:
        dates = pd.to_datetime(cells, format=date_format, errors="coerce", utc=True)
    except ValueError as error:
        raise UsageError("invalid_value", key="task.date_format", must="a strptime format", got=date_format) from error
    return _micros(dates.dt.tz_localize(None).to_numpy())


def _micros(dates: np.ndarray) -> Float[np.ndarray, "step"]:
    micros = dates.astype("datetime64[us]")
    return np.where(np.isnat(micros), np.nan, micros.astype(np.int64).astype(np.float64))


def _compact(cells: pd.Series) -> Float[np.ndarray, "step"]:
    """Digits without separators, all of the same number: yyyymm, yyyymmdd, yyyymmddhh, ..."""
    absent = np.full(len(cells), np.nan)
    first = cells.dropna().iloc[:1]
    date_format = _COMPACT.get(len(first.iloc[0])) if len(first) else None
    if date_format is None:
        return absent
    fits = cells.str.fullmatch(rf"\d{{{len(first.iloc[0])}}}", na=False).to_numpy(dtype=bool, copy=True)
    years = pd.to_numeric(cells.where(fits).str[:4], errors="coerce").to_numpy(dtype=np.float64)
    fits &= (years >= _YEARS[0]) & (years <= _YEARS[1])
    return _parsed(cells.where(fits), date_format) if fits.any() else absent


def _with_century(
    ticks: Float[np.ndarray, "step"], cells: pd.Series, reading: str, codes: Int[np.ndarray, "step"]
) -> Float[np.ndarray, "step"]:
    """Dates with two-digit years in the century that makes the series most regular, 1969 to 2068 if several do."""
    order = _ORDERS.get(reading)
    date_format = reading if "%" in reading else order(cells.iloc[0]) if order else None
    if date_format is None or "%y" not in date_format:
        return ticks
    dates = ticks.astype(np.int64).astype("datetime64[us]")
    months = dates.astype("datetime64[M]")
    rest = dates - months.astype("datetime64[us]")
    month = months.astype(np.int64) % 12
    year = (months.astype(np.int64) // 12 + 1970) % 100
    best = None
    for pivot in sorted({_PIVOT, 100, *np.unique(year).tolist()}, key=lambda pivot: (abs(pivot - _PIVOT), pivot)):
        full = np.where(year < pivot, 2000, 1900) + year
        moved = ((full - 1970) * 12 + month).astype("datetime64[M]").astype("datetime64[us]") + rest
        times = _weigh(_micros(moved), "", codes)
        if best is None or _rank(times) < _rank(best):
            best = times
    assert best is not None
    return best.ticks


def _weigh(ticks: Float[np.ndarray, "step"], reading: str, codes: Int[np.ndarray, "step"]) -> Times:
    """Order and regularity of a reading."""
    rows = np.argsort(codes, kind="stable")
    same = codes[rows][1:] == codes[rows][:-1]
    steps = np.diff(ticks[rows])[same]
    rows = np.lexsort((ticks, codes))
    same = codes[rows][1:] == codes[rows][:-1]
    gaps = np.diff(ticks[rows])[same]
    usual = np.median(gaps[gaps > 0]) if (gaps > 0).any() else 1.0
    irregular = int((np.rint(gaps / usual) != 1).sum())
    return Times(ticks, reading, bool((steps >= 0).all() or (steps <= 0).all()), irregular, bool((gaps > 0).all()))


def _clock(rest: str) -> str | None:
    """The strptime format of what follows the date; None if it is no clock time."""
    if not rest:
        return ""
    match = _CLOCK.fullmatch(rest)
    if match is None:
        return None
    lead, _, colon, minute, mark, second, point, fraction, space, half, gap, zone = match.groups()
    hour = "%I" if half else "%H"
    return (
        lead + hour + (f"{colon}%M" if minute else "") + (f"{mark}%S" if second else "")
        + (f"{point}%f" if fraction else "") + (f"{space}%p" if half else "") + (f"{gap}%z" if zone else "")
    )  # fmt: skip


def _numeric_format(directives: str) -> Callable[[str], str | None]:
    """The format of three numbers in the given order, such as "dmy"."""

    def order(cell: str) -> str | None:
        match = _NUMERIC.match(cell)
        if match is None or (clock := _clock(cell[match.end() :])) is None:
            return None
        parts = (match[1], match[3], match[4])
        if any(
            (len(part) > 2) != (letter == "y" and len(part) == 4)
            for part, letter in zip(parts, directives, strict=True)
        ):
            return None
        return match[2].join(_directive(letter, part) for letter, part in zip(directives, parts, strict=True)) + clock

    return order


def _directive(letter: str, part: str) -> str:
    return {"d": "%d", "m": "%m", "y": "%Y" if len(part) == 4 else "%y"}[letter]


def _year_month(cell: str) -> str | None:
    match = _PAIR.fullmatch(cell)
    if match is None or (len(match[1]) == 4) == (len(match[3]) == 4):
        return None
    return f"%Y{match[2]}%m" if len(match[1]) == 4 else f"%m{match[2]}%Y"


def _named_month(cell: str) -> str | None:
    for pattern, order in _NAMED:
        match = pattern.match(cell)
        if match is None or match[order.index("M") * 2 + 1].casefold() not in _MONTHS:
            continue
        clock = _clock(cell[match.end() :])
        if clock is None:
            continue
        groups = match.groups()
        parts = [_named_directive(letter, groups[2 * index]) for index, letter in enumerate(order)]
        marks = [groups[2 * index + 1] for index in range(len(order) - 1)]
        return "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True)) + clock
    return None


def _named_directive(letter: str, part: str) -> str:
    if letter == "M":
        return "%b" if len(part) == 3 else "%B"
    return _directive(letter, part)


_ORDERS: dict[str, Callable[[str], str | None]] = {
    "year_first": _numeric_format("ymd"),
    "day_first": _numeric_format("dmy"),
    "month_first": _numeric_format("mdy"),
    "year_month": _year_month,
    "named_month": _named_month,
}

_ROLES = {"year": "year", "yr": "year", "month": "month", "mon": "month", "mo": "month", "day": "day", "hour": "hour",
          "hr": "hour", "minute": "minute", "min": "minute", "second": "second", "sec": "second"}  # fmt: skip
_PARTS = ("year", "month", "day", "hour", "minute", "second")


def parts_of(names: Sequence[str]) -> list[str]:
    """Columns named year, month, day, hour, minute and second, as far as they are consecutive from the year."""
    by_role = {_ROLES[name.casefold()]: name for name in names if name.casefold() in _ROLES}
    columns: list[str] = []
    for role in _PARTS:
        if role not in by_role:
            break
        columns.append(by_role[role])
    return columns if len(columns) > 1 else []


def is_clock(text: pd.Series) -> bool:
    """True if every cell is a time of day such as 18:00 or 18.00.00."""
    if pd.api.types.is_numeric_dtype(text.dtype):
        return False
    return bool(text.str.fullmatch(r"\d{1,2}[:.]\d{2}([:.]\d{2}([.,]\d+)?)?( ?[AaPp][Mm])?", na=False).all())


def combined(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Several time columns as one column of text: a date and a time of day, or year, month, day, ... as numbers."""
    parts = [_as_text(frame[name]) for name in columns]
    if parts_of(columns) == list(columns):
        joined = parts[0]
        for mark, part in zip("-- ::", parts[1:], strict=False):
            joined = joined + mark + part.str.zfill(2)
        text = joined + ":00" if len(parts) == 4 else joined
    else:
        text = parts[0]
        for part in parts[1:]:
            text = text + " " + part
    return text.rename(" + ".join(columns))
