"""Columns of a table as real channels: numbers standardized, categories one-hot."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import check_column
from dlcli.core.task import Fitted
from dlcli.data.table import is_numeric, numbers
from dlcli.data.transforms import Scaling

_logger = logging.getLogger("dlcli")

_EXACT = 2**53  # integers above are rounded in float64


@dataclass(frozen=True)
class ChannelEncoding:
    """Encoding of columns, fitted to training rows.

    Args:
        numeric: columns of the first channels, in order.
        categories: values by column, one channel each; these channels follow.
        scaling: scaling of the numeric channels.
    """

    numeric: Sequence[str]
    categories: Mapping[str, Sequence[str]]
    scaling: Scaling

    @classmethod
    def fit(
        cls, frame: pd.DataFrame, columns: Sequence[str], train: Bool[np.ndarray, "step"], *, limit: int
    ) -> "ChannelEncoding":
        """Statistics and categories of the training rows.

        Raises:
            UsageError: a column has more than `limit` categories, or a numeric column contains other values.
        """
        numeric = [name for name in columns if is_numeric(frame[name])]
        text = [name for name in columns if name not in numeric]
        categories = {name: sorted(map(str, frame[name][train].dropna().unique())) for name in text}
        for name, values in categories.items():
            if len(values) > limit:
                raise UsageError(
                    "invalid_data",
                    path=f"column {name!r}",
                    problem=f"{len(values)} different texts ({values[0]!r}, ...), but task.max_categories={limit}",
                    hint=f"Is it a time or a series id? task.time={name} or task.group={name}",
                )
        _log_suspicious(frame, numeric)
        return cls(numeric, categories, Scaling.fit(_numbers(frame, numeric)[train], numeric))

    @classmethod
    def of(cls, fitted: Fitted) -> "ChannelEncoding":
        """The encoding that a run was trained with."""
        return cls(fitted["numeric"], fitted["categories"], Scaling(fitted["mean"], fitted["std"]))

    def fitted(self) -> dict[str, Any]:
        """The encoding as plain values."""
        return {
            "numeric": list(self.numeric),
            "categories": {name: list(values) for name, values in self.categories.items()},
            "mean": list(self.scaling.mean),
            "std": list(self.scaling.std),
        }

    @property
    def columns(self) -> list[str]:
        return [*self.numeric, *self.categories]

    def encode(self, frame: pd.DataFrame) -> Float[np.ndarray, "step channel"]:
        """Channels by row. A missing number becomes the training mean; a missing or unknown category is all zeros."""
        scaled = np.nan_to_num(self.scaling.apply(_numbers(frame, self.numeric)))
        hot = [_one_hot(frame[name], values) for name, values in self.categories.items()]
        return np.concatenate([scaled, *hot], axis=1)


def _log_suspicious(frame: pd.DataFrame, numeric: Sequence[str]) -> None:
    """Log columns of integers that look like row ids, and those beyond the exact range of float64."""
    for name in numeric:
        values = frame[name]
        if not pd.api.types.is_integer_dtype(values.dtype) or len(values) < 3:
            continue
        low, high = int(values.min()), int(values.max())
        if max(abs(low), abs(high)) > _EXACT:
            _logger.warning("column %r contains integers beyond 2^53 (up to %d), which are rounded", name, high)
        if values.is_unique and high - low < 2 * len(values):
            _logger.warning(
                "column %r looks like a row id (%d different integers); it is used as an input", name, len(values)
            )


def _numbers(frame: pd.DataFrame, columns: Sequence[str]) -> Float[np.ndarray, "step channel"]:
    return np.stack([numbers(frame[name]) for name in columns], 1) if columns else np.empty((len(frame), 0))


def _one_hot(text: pd.Series, categories: Sequence[str]) -> Float[np.ndarray, "step channel"]:
    codes = codes_of(text, categories)
    unknown = text[(codes < 0) & text.notna().to_numpy()]
    if len(unknown):
        _logger.warning(
            "%d of %d values of %r are not in the training data (%s, ...): encoded as zeros",
            len(unknown),
            len(text),
            text.name,
            unknown.iloc[0],
        )
    return (codes[:, None] == np.arange(len(categories))).astype(np.float32)


def codes_of(text: pd.Series, categories: Sequence[str]) -> Int[np.ndarray, "step"]:
    """Index of each value among the categories, -1 for others."""
    return pd.Index(list(categories), dtype=object).get_indexer(pd.Index(text, dtype=object)).astype(np.int64)


def label_text(column: pd.Series) -> pd.Series:
    """Labels as text, missing ones as NaN; whole numbers without a decimal point."""
    if pd.api.types.is_float_dtype(column.dtype) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype(object).where(column.notna(), None).astype("str")


def label_names(text: pd.Series, limit: int) -> list[str]:
    """Class names: numbers by size, other labels in alphabetical order.

    Raises:
        UsageError: there is a single class, or there are more than `limit`.
    """
    names = text.dropna().unique().tolist()
    try:
        names = sorted(names, key=float)
    except ValueError:
        names = sorted(names)
    if len(names) < 2:
        problem = f"two or more labels are required, got {', '.join(map(repr, names)) or 'none'}"
        raise UsageError("invalid_data", path=f"column {text.name!r}", problem=problem)
    if len(names) > limit:
        problem = f"{len(names)} different labels, but task.max_categories={limit}"
        hint = f"task.max_categories={len(names)} allows them."
        raise UsageError("invalid_data", path=f"column {text.name!r}", problem=problem, hint=hint)
    return names


def fill_missing(
    frame: pd.DataFrame, rule: str, *, segment: Int[np.ndarray, "step"], observed: Bool[np.ndarray, "step"]
) -> pd.DataFrame:
    """Fill missing inputs, by the last value of the same gapless stretch if the rule is "ffill".

    Later values never fill earlier ones. Missing values are logged by column.

    Args:
        frame: the input columns.
        rule: "ffill", "mean" (applied by `Channels.encode`) or "error".
        segment: number of the gapless stretch by row.
        observed: False for rows that fill a gap.

    Raises:
        UsageError: the rule is "error" and a value is missing.
    """
    counts = frame[observed].isna().sum()
    rows = max(int(observed.sum()), 1)
    missing = ", ".join(f"{count} in {name!r} ({100 * count / rows:.1f} %)" for name, count in counts.items() if count)
    if not missing:
        return frame
    if rule == "error":
        hint = "Fill them, or set task.missing=ffill or task.missing=mean."
        raise UsageError("invalid_data", path="the file", problem=f"missing values: {missing}", hint=hint)
    level = logging.WARNING if counts.max() > 0.1 * rows else logging.INFO
    _logger.log(level, "missing values: %s; inputs are filled by task.missing=%s", missing, rule)
    return frame.groupby(segment).ffill() if rule == "ffill" else frame


def check_columns(frame: pd.DataFrame, fitted: Fitted, other: Sequence[str]) -> None:
    """Check that all columns of the training data, and `other`, are present. Unknown columns are logged.

    Raises:
        UsageError: a column is missing; the error names the nearest one.
    """
    known = [*fitted["numeric"], *fitted["categories"]]
    for name in dict.fromkeys([*known, *other]):
        check_column("the run was trained on other columns", name, list(frame.columns))
    extra = [name for name in frame.columns if name not in {*known, *other}]
    if extra:
        _logger.info("columns that are not in the training data are ignored: %s", ", ".join(map(repr, extra)))
