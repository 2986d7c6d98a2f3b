"""A user's CSV file as a table of text, and its columns as numbers."""

import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from dlcli.core.errors import UsageError


def read_table(path: str | None) -> pd.DataFrame:
    """All columns as text without outer spaces, NaN where a field is empty; rows are numbered from 1.

    Lines that start with # are skipped. Fields are separated by commas, semicolons or tabs, as in the line of
    names.

    Raises:
        UsageError: there is no such file, it is empty, or no table.
    """
    if not path:
        raise UsageError("task=csv reads a file of yours: task.path=FILE.csv task.target=COLUMN")
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError(f"task.path: there is no file {path}")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a table: its bytes are not UTF-8 text") from None
    lines = [line for line in text.split("\n") if line.strip() and not line.startswith("#")]
    if "\0" in text:
        raise UsageError(f"{path} is not a table: it holds NUL bytes")
    if len(lines) < 2:
        raise UsageError(f"{path} is empty: wanted a line of column names and rows below it")
    return _parse(path, lines)


def _parse(path: str, lines: list[str]) -> pd.DataFrame:
    separator = max(",;\t", key=lines[0].count)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would be cut
            frame = pd.read_csv(
                io.StringIO("\n".join(lines)),
                sep=separator,
                dtype=str,
                skipinitialspace=True,
                index_col=False,
            )
    except pd.errors.ParserError as error:
        raise UsageError(f"{path} is not a table: {str(error).splitlines()[-1].strip()}") from None
    except pd.errors.ParserWarning:
        raise UsageError(f"{path} is not a table: its rows have more fields than its line of names") from None
    frame.columns = frame.columns.str.strip()
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame.apply(lambda column: column.str.strip())


def is_numeric(column: pd.Series) -> bool:
    """Whether most of what is there are numbers; an empty column counts as numeric."""
    text = column.dropna()
    return bool(text.empty or pd.to_numeric(text, errors="coerce").notna().mean() > 0.5)


def numbers(column: pd.Series) -> np.ndarray:
    """The column as float64, NaN where it is empty.

    Raises:
        UsageError: a value is no finite number; the message has its row.
    """
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values) & column.notna().to_numpy())
    if bad.size:
        more = f" ({bad.size - 1} more like it)" if bad.size > 1 else ""
        raise UsageError(
            f"column {column.name!r} holds numbers, but row {column.index[bad[0]]} has "
            f"{column.iloc[bad[0]]!r}{more}; rows count from 1 below the names"
        )
    return values
