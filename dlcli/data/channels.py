"""Columns of a table as channels of a series: numbers standardised, categories one-hot."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from dlcli.core.errors import UsageError
from dlcli.core.option_checks import column
from dlcli.core.task import Fitted
from dlcli.data.table import is_numeric, numbers
from dlcli.data.timeline import Timeline
from dlcli.data.transforms import Scaling

_logger = logging.getLogger("dlcli")


@dataclass(frozen=True)
class Channels:
    """How columns become channels; learned from training rows.

    Args:
        numeric: the columns of the first channels, in order.
        categories: by column, the values that have a channel each; these channels follow.
        scaling: of the numeric channels.
    """

    numeric: Sequence[str]
    categories: Mapping[str, Sequence[str]]
    scaling: Scaling

    @classmethod
    def fit(
        cls, frame: pd.DataFrame, columns: Sequence[str], train: Bool[np.ndarray, "step"], *, limit: int
    ) -> "Channels":
        """Statistics and categories of the training rows.

        Raises:
            UsageError: a column has more than `limit` categories, or a numeric one holds something else.
        """
        numeric = [name for name in columns if is_numeric(frame[name])]
        text = [name for name in columns if name not in numeric]
        categories = {name: sorted(map(str, frame[name][train].dropna().unique())) for name in text}
        for name, values in categories.items():
            if len(values) > limit:
                raise UsageError(
                    f"column {name!r} is text with {len(values)} different values ({values[0]!r}, ...), "
                    f"more than task.max_categories={limit}.\n"
                    f"Does it say when or whose a row is? task.time={name} or task.group={name}"
                )
        return cls(numeric, categories, Scaling.fit(_numbers(frame, numeric)[train], numeric))

    @classmethod
    def of(cls, fitted: Fitted) -> "Channels":
        return cls(fitted["numeric"], fitted["categories"], Scaling(fitted["mean"], fitted["std"]))

    def fitted(self) -> dict[str, Any]:
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
        """A missing number becomes the mean of train, a missing or unknown category all zeros."""
        scaled = np.nan_to_num(self.scaling.apply(_numbers(frame, self.numeric)))
        hot = [_one_hot(frame[name], values) for name, values in self.categories.items()]
        return np.concatenate([scaled, *hot], axis=1)


def _numbers(frame: pd.DataFrame, columns: Sequence[str]) -> Float[np.ndarray, "step channel"]:
    return np.stack([numbers(frame[name]) for name in columns], 1) if columns else np.empty((len(frame), 0))


def _one_hot(text: pd.Series, categories: Sequence[str]) -> Float[np.ndarray, "step channel"]:
    codes = codes_of(text, categories)
    unknown = text[(codes < 0) & text.notna().to_numpy()]
    if len(unknown):
        _logger.info(
            "%d values of %r are no category of train (%s ...): all zeros",
            len(unknown),
            text.name,
            unknown.iloc[0],
        )
    return (codes[:, None] == np.arange(len(categories))).astype(np.float32)


def codes_of(text: pd.Series, categories: Sequence[str]) -> Int[np.ndarray, "step"]:
    """The place of each value among the categories, -1 where it has none."""
    return pd.Index(list(categories), dtype=object).get_indexer(pd.Index(text, dtype=object)).astype(np.int64)


def fill_missing(line: Timeline, columns: Sequence[str], rule: str) -> pd.DataFrame:
    """The columns, the last value carried forward within its stretch (rule "ffill"); never a later one back.

    Raises:
        UsageError: the rule is "error" and something is missing.
    """
    frame = line.frame[list(columns)]
    counts = frame[line.observed].isna().sum()
    words = ", ".join(f"{count} in {name!r}" for name, count in counts.items() if count)
    if not words:
        return frame
    if rule == "error":
        raise UsageError(f"missing values: {words}.\nFill them, or let task.missing=ffill or task.missing=mean do it")
    _logger.info("missing values: %s; task.missing=%s", words, rule)
    return frame.groupby(line.segment).ffill() if rule == "ffill" else frame


def check_columns(frame: pd.DataFrame, fitted: Fitted, other: Sequence[str]) -> None:
    """Every column that the run learned from is there, and `other`; columns beyond these are said.

    Raises:
        UsageError: one is missing; the message has the nearest.
    """
    known = [*fitted["numeric"], *fitted["categories"]]
    for name in dict.fromkeys([*known, *other]):
        column("the run was trained on other columns", name, list(frame.columns))
    extra = [name for name in frame.columns if name not in {*known, *other}]
    if extra:
        _logger.info("columns that the run was not trained with are left out: %s", ", ".join(map(repr, extra)))
