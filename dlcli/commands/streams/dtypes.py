"""Parsing of the items of a text stream: words, integers or floats, as declared by `--as`."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Values

AS = ("auto", "words", "integers", "floats")
As = Literal["auto", "words", "integers", "floats"]
_KINDS: dict[str, Values] = {
    "auto": "words", "words": "words", "integers": "integers", "floats": "numbers", "numbers": "numbers",
}  # fmt: skip
"""Item type of each value of `--as`. Text is never parsed unless asked for: 02134 and 2134 are two words."""
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOT_FINITE = {"nan", "inf", "infinity"}
_SHOWN = 40  # characters of an item in a message


class ItemParser:
    """Converts the texts of a stream to items, chunk by chunk.

    Args:
        name: name of the stream, for messages.
        kind: a value of `--as`; "auto" is "words", and "numbers" an alias of "floats".
        skip_empty: True to ignore empty rows.

    Raises:
        UsageError: the kind is unknown.
    """

    def __init__(self, name: str, kind: str, *, skip_empty: bool = False) -> None:
        if kind not in _KINDS:
            raise UsageError("unknown_name", kind="item type --as", name=kind, known=AS)
        self.name, self.kind, self.skip_empty = name, _KINDS[kind], skip_empty
        self.rows, self.skipped = 0, 0

    def __call__(self, texts: Sequence[str | None] | np.ndarray) -> np.ndarray:
        """Items of the next chunk: an object array of str, int64 or float64.

        Args:
            texts: one text per row; None for an empty row.

        Raises:
            UsageError: a row is empty or cannot be represented in the item type.
        """
        words = np.asarray(texts, dtype=object)
        empty = pd.isna(words)
        rows = np.arange(self.rows, self.rows + len(words))
        if empty.any():
            if not self.skip_empty:
                hint = "--skip-empty ignores empty rows"
                raise self._error(int(rows[empty.argmax()]), "is empty", hint)
            words, rows = words[~empty], rows[~empty]
            self.skipped += int(empty.sum())
        self.rows += len(empty)
        if self.kind == "words" or not len(words):
            return words if self.kind == "words" else np.empty(0, np.int64 if self.kind == "integers" else np.float64)
        numbers = pd.to_numeric(pd.Series(words), errors="coerce").to_numpy()
        return self._integers(words, numbers, rows) if self.kind == "integers" else self._floats(words, numbers, rows)

    def _integers(self, words: np.ndarray, numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if numbers.dtype == np.int64:
            return numbers
        for row, word in zip(rows.tolist(), words.tolist(), strict=True):
            text = word.strip()
            if not _INTEGER.fullmatch(text):
                raise self._not_a_number(row, word, "an integer")
            if not -(2**63) <= int(text) < 2**63:
                problem = f"is {text[:_SHOWN]}, which exceeds the range of 64-bit integers"
                raise self._error(row, problem, "--as words counts the texts as they are")
        return np.array([int(word) for word in words], dtype=np.int64)

    def _floats(self, words: np.ndarray, numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
        floats = numbers.astype(np.float64)
        invalid = np.flatnonzero(~np.isfinite(floats))
        if len(invalid):
            raise self._not_a_number(int(rows[invalid[0]]), words[invalid[0]], "a number")
        return floats

    def _not_a_number(self, row: int, word: str, kind: str) -> UsageError:
        text = word.strip()
        if text.lower().lstrip("+-") in _NOT_FINITE:
            return self._error(row, f"is {text!r}; NaN and infinity cannot be sketched", "remove the row")
        if kind == "a number" and _FLOAT.fullmatch(text):
            return self._error(row, f"is {text[:_SHOWN]}, which exceeds the range of float64", "--as words")
        hint = "--as words counts the texts as they are"
        if kind == "an integer" and _FLOAT.fullmatch(text):
            hint = "--as floats parses fractions"
        return self._error(row, f"is {text[:_SHOWN]!r}, not {kind}", hint)

    def _error(self, row: int, problem: str, hint: str) -> UsageError:
        """An error about a row, counted from 0."""
        text = f"row {row + 1:,} {problem}"
        return UsageError("invalid_data", path=self.name, problem=text, row=row + 1, hint=hint)
