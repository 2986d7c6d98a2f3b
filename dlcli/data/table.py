"""A user's delimited text file as a table: numeric columns as numbers, all others as text."""

import logging
import re
import warnings
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from dlcli.core.errors import UsageError
from dlcli.data.dialect import Dialect, detect_dialect

_logger = logging.getLogger("dlcli")

MISSING = (
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "NaN",
    "nan",
    "NAN",
    "null",
    "NULL",
    "Null",
    "None",
    "none",
    "-",
    "--",
    "?",
)
"""Texts that stand for a missing value in a numeric column. In a text column they are values."""

TIME_NAMES = ("time", "date", "datetime", "timestamp", "year", "ds")
"""Names of columns that are kept as text until a reading of their times has been chosen (compared without case)."""

_SAID = 0.1  # share of unused rows, windows or values above which a warning is logged
_GROUPED = r"[+-]?\d{{1,3}}(?:[{marks}]\d{{3}})+(?:{decimal}\d*)?"


def read_table(
    path: str | None,
    *,
    text: Collection[str] = (),
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read a table. The index is the row number, counted from 1 below the line of column names.

    Numeric columns are int64 or float64. All others are text without outer spaces, in which only an empty cell is
    missing (NaN). Lines that start with # are skipped at the head of the file only. Rows whose cells are all empty are
    skipped. All of this is logged with counts.

    Args:
        path: the file.
        text: columns that are kept as text, such as labels and series ids.
        separator: see `dialect.detect_dialect`.
        decimal: see `dialect.detect_dialect`.
        encoding: see `dialect.detect_dialect`.

    Raises:
        UsageError: the file does not exist, is empty, or is not a table.
    """
    if not path:
        raise UsageError("required", key="task.path", hint="task.path=FILE.csv task.target=COLUMN")
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError("missing_file", path=path)
    dialect = detect_dialect(file, separator=separator, decimal=decimal, encoding=encoding)
    numeric = _numeric_columns(dialect, text)
    try:
        frame = _parse(file, dialect, numeric)
    except UnicodeDecodeError:
        if encoding is not None or dialect.encoding == "cp1252":
            hint = "Set task.encoding=NAME, for example cp1252 or latin-1."
            raise UsageError("invalid_data", path=path, problem=f"is not {dialect.encoding} text", hint=hint) from None
        dialect = detect_dialect(file, separator=separator, decimal=decimal, encoding="cp1252")
        frame = _parse(file, dialect, numeric)
    _log_dialect(dialect, detected=encoding is None)
    return _cleaned(frame, dialect, text)


def _numeric_columns(dialect: Dialect, text: Collection[str]) -> set[int]:
    """Positions of the columns in which most sampled cells can be parsed as numbers."""
    numeric = set()
    for position, name in enumerate(dialect.header):
        cells = [row[position] for row in dialect.sample if row[position] and row[position] not in MISSING]
        plain = sum(_float(cell, dialect.decimal) is not None for cell in cells)
        if name not in text and name.casefold() not in TIME_NAMES and plain > 0.5 * len(cells):
            numeric.add(position)
    return numeric


def _float(cell: str, decimal: str) -> float | None:
    if "_" in cell:
        return None
    try:
        return float(cell.replace(",", ".") if decimal == "," else cell)
    except ValueError:
        return None


def _parse(file: Path, dialect: Dialect, numeric: Collection[int]) -> pd.DataFrame:
    """Read the file; the types of numeric columns are inferred, so that those with other cells become text.

    Raises:
        UsageError: the number of fields varies.
        UnicodeDecodeError: the encoding is wrong.
    """
    single = len(dialect.header) == 1
    types = {position: str for position in range(len(dialect.header)) if position not in numeric}
    space = dialect.separator == " "
    problem = "is not a table: rows have more fields than the line of column names"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would be cut
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            frame = pd.read_csv(
                file,
                sep=r"\s+" if space else dialect.separator,
                names=list(range(len(dialect.header))),
                header=None,
                skiprows=_lines_before_data(file, dialect),
                dtype=types,
                decimal=dialect.decimal,
                encoding=dialect.encoding,
                skipinitialspace=not space,
                keep_default_na=False,
                na_values=[""],
                skip_blank_lines=not single,  # an empty line of a single column is a missing value
                index_col=False,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        problem = f"is not a table: {str(error).splitlines()[-1].strip()}"
        raise UsageError("invalid_data", path=file, problem=problem) from None
    except (pd.errors.ParserWarning, IndexError):
        raise UsageError("invalid_data", path=file, problem=problem) from None
    if len(frame.columns) != len(dialect.header):
        raise UsageError("invalid_data", path=file, problem=problem)
    frame.columns = pd.Index(_unique_names(dialect.header))
    return frame


def _lines_before_data(file: Path, dialect: Dialect) -> int:
    """Number of lines up to and including the line of column names."""
    lines = 0
    with file.open(encoding=dialect.encoding, newline=None) as stream:
        for line in stream:
            lines += 1
            if lines > dialect.comments and line.strip():
                break
    return lines


def _unique_names(header: Collection[str]) -> list[str]:
    """Column names; a name that occurs again gets a number, and an empty one the position of its column."""
    names: list[str] = []
    for position, name in enumerate(header):
        unique, count = name or f"column_{position + 1}", 1
        while unique in names:
            count += 1
            unique = f"{name}_{count}"
        if name and unique != name:
            _logger.warning("column name %r occurs more than once; column %d is called %r", name, position + 1, unique)
        names.append(unique)
    return names


def _log_dialect(dialect: Dialect, *, detected: bool) -> None:
    if dialect.comments:
        _logger.info("%d comment lines skipped at the head of the file", dialect.comments)
    if detected and dialect.encoding == "cp1252":
        _logger.warning("encoding: Windows-1252, because the file is not UTF-8 (task.encoding sets another)")
    if dialect.separator not in ",;\t" or dialect.decimal == ",":
        mark = "comma" if dialect.decimal == "," else "point"
        _logger.info("separator %r, decimal %s", dialect.separator, mark)


def _cleaned(frame: pd.DataFrame, dialect: Dialect, text: Collection[str]) -> pd.DataFrame:
    """Strip text, skip empty rows and unnamed empty columns, and convert the remaining numeric columns."""
    columns: dict[str, pd.Series] = {}
    for position, name in enumerate(frame.columns):
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
            column = column.astype(object).where(column.notna(), None).astype("str").str.strip()
            column = column.mask(column == "")
        if dialect.header[position] == "" and column.isna().all():
            continue
        columns[name] = column
    frame = pd.DataFrame(columns)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    last = frame.iloc[:, :1].isna().to_numpy()[:, 0]
    if last.any():
        empty = last.copy()
        empty[last] = frame.loc[last].isna().all(axis=1).to_numpy()
        if len(frame.columns) == 1:  # only the end: a gap in the middle is a missing value
            empty &= np.logical_and.accumulate(empty[::-1])[::-1]
        if empty.any():
            log_unused(int(empty.sum()), len(frame), "rows", "every cell is empty")
            frame = frame.loc[~empty]
    for name in frame.columns:
        if name not in text and name.casefold() not in TIME_NAMES and not _is_number(frame[name]):
            frame[name] = _converted(frame[name], dialect.decimal)
    return frame


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)


def _converted(column: pd.Series, decimal: str) -> pd.Series:
    """The column as numbers if most cells are numbers and all others are missing; else as text in decimal points."""
    present = column.notna().to_numpy() & ~column.isin(MISSING).to_numpy()
    cells = column[present]
    if cells.empty:
        return column
    numbers = pd.to_numeric(_plain(cells, decimal), errors="coerce")
    if not numbers.notna().mean() > 0.5:
        return column
    tokens = column[~present & column.notna().to_numpy()]
    if len(tokens):
        counts = tokens.value_counts()
        shown = ", ".join(f"{token!r} ({count})" for token, count in counts.items())
        log_unused(len(tokens), len(column), f"values of {column.name!r}", f"read as missing: {shown}")
    if numbers.notna().all():
        return numbers.astype(np.float64).reindex(column.index)
    return _plain(cells, decimal).reindex(column.index)


def _plain(cells: pd.Series, decimal: str) -> pd.Series:
    """Numbers written with thousands separators or a decimal comma in the notation of Python."""
    other = "." if decimal == "," else ","
    pattern = _GROUPED.format(marks=rf"{re.escape(other)}'’\u00a0\u202f ", decimal=re.escape(decimal))
    grouped = cells.str.fullmatch(pattern).to_numpy(dtype=bool)
    if grouped.any():
        cells = cells.where(~grouped, cells.str.replace(rf"[{re.escape(other)}'’\u00a0\u202f ]", "", regex=True))
    if decimal == ",":
        point = cells.str.contains(".", regex=False).to_numpy(dtype=bool)  # neither a decimal comma nor groups
        cells = cells.str.replace(",", ".", regex=False).where(~point, cells + "?")
    return cells


def is_numeric(column: pd.Series) -> bool:
    """True if more than half of the present values are numbers, or no value is present."""
    if _is_number(column):
        return True
    present = column.dropna()
    return bool(present.empty or pd.to_numeric(present, errors="coerce").notna().mean() > 0.5)


def numbers(column: pd.Series) -> np.ndarray:
    """The column as float64, NaN where a value is missing.

    Raises:
        UsageError: a value is not a finite number; the error names its row.
    """
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values) & column.notna().to_numpy())
    if bad.size:
        more = f" and {bad.size - 1} more" if bad.size > 1 else ""
        got = str(column.iloc[bad[0]]).removesuffix("?")
        hint = "Rows are counted from 1 below the line of column names."
        must = f"a finite number in every row{more}"
        key = f"row {column.index[bad[0]]} of column {column.name!r}"
        raise UsageError("invalid_value", key=key, must=must, got=got, hint=hint)
    return values


def log_unused(count: int, total: int, what: str, reason: str, hint: str = "") -> None:
    """Log how many items are not used: a warning with the key that changes it above 10 %, else a note.

    Args:
        count: number of items that are not used.
        total: number of all items.
        what: name of the items in the plural.
        reason: why they are not used.
        hint: what to do.
    """
    if not count:
        return
    share = count / max(total, 1)
    level = logging.WARNING if share > _SAID else logging.INFO
    advice = f" ({hint})" if hint else ""
    _logger.log(
        level, "%s of %s %s not used (%.1f %%): %s%s", f"{count:,}", f"{total:,}", what, 100 * share, reason, advice
    )
