"""What texts of a stream are: whole numbers, numbers or words, decided by the first ones and kept."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from dlcli.core.errors import UsageError, nearest
from dlcli.sketching.streams.chunk import Values

AS = ("auto", "integers", "numbers", "words")
As = Literal["auto", "integers", "numbers", "words"]


class Typed:
    """Texts to values.

    Args:
        name: of the stream, for messages.
        wanted: "auto" takes what the first piece is.

    Raises:
        UsageError: there is no such kind of values.
    """

    def __init__(self, name: str, wanted: str) -> None:
        if wanted not in AS:
            raise UsageError(f"no kind of values --as {wanted}{nearest(wanted, AS)}")
        self.name, self.rows, self.rounds = name, 0, wanted == "numbers"
        self.kind: Values | None = None if wanted == "auto" else wanted  # type: ignore[assignment]

    def __call__(self, texts: Sequence[str] | np.ndarray) -> np.ndarray:
        """Values of the next piece.

        Raises:
            UsageError: it is of several kinds, of another kind than before, or has gaps.
        """
        words = np.asarray(texts, dtype=object)
        if not len(words):
            return np.empty(0, dtype=np.int64)
        numbers = None if self.kind == "words" else pd.to_numeric(pd.Series(words), errors="coerce").to_numpy()
        missing = pd.isna(words)
        if missing.any():
            raise UsageError(f"{self._at(missing)} is empty: a stream has no gaps")
        values = words if numbers is None else self._numeric(words, numbers)
        self.rows += len(words)
        return values

    def _numeric(self, words: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        if numbers.dtype != np.int64:
            numbers = numbers.astype(np.float64)
            self._refuse_rounded(words, numbers)
        strange = np.array([])
        if numbers.dtype.kind == "f":
            strange = ~np.isfinite(numbers)
            self._refuse_nan(words, strange)
        found: Values = "words" if strange.size and strange.all() else "integers"
        if numbers.dtype.kind == "f" and found != "words":
            found = "numbers"
            if strange.any():
                self._mixed(words, strange)
        self.kind = self.kind or found
        if (found, self.kind) == ("integers", "numbers"):
            self._refuse_rounded(words, numbers.astype(np.float64))
        if found == self.kind or (found, self.kind) == ("integers", "numbers"):
            return words if found == "words" else numbers.astype(np.float64 if self.kind == "numbers" else np.int64)
        advice = "numbers" if found == "numbers" else "words"
        raise UsageError(
            f"{self.name}: {found} from row {self.rows + 1:,} on, where {self.kind} are expected\n"
            f"--as {advice} reads all of it so"
        )

    def _refuse_nan(self, words: np.ndarray, strange: np.ndarray) -> None:
        """`nan` and `inf` among numbers are no items."""
        said = np.array([str(word).strip().lower().lstrip("+-") in _NOT_FINITE for word in words[strange]], dtype=bool)
        if said.any() and not (strange.all() and not said.all()):
            place = np.flatnonzero(strange)[said][0]
            raise UsageError(f"{self.name}: row {self.rows + place + 1:,} is {words[place]!r}, which is no item")

    def _refuse_rounded(self, words: np.ndarray, numbers: np.ndarray) -> None:
        """Whole numbers that a float does not hold would be taken for one another."""
        large = np.flatnonzero(np.abs(numbers) >= _EXACT)
        long = [place for place in large if _WHOLE.fullmatch(str(words[place]).strip())]
        if long and not self.rounds:
            raise UsageError(
                f"{self.name}: row {self.rows + long[0] + 1:,} is {str(words[long[0]])[:40]}, a whole number to "
                "be rounded (beyond 64 bits, or among fractions)\n--as words counts it as it is, --as numbers rounds it"
            )

    def _mixed(self, words: np.ndarray, strange: np.ndarray) -> None:
        word, number = words[strange][0], words[~strange][0]
        if _FLOAT.fullmatch(str(word).strip()):
            raise UsageError(f"{self._at(strange)} is {str(word)[:40]}, more than a number can be\n--as words reads it")
        raise UsageError(
            f"{self._at(strange)} is {str(word)[:40]!r}, and there are numbers too, such as {str(number)[:40]!r}: "
            "mixed types\n--as words reads all of it as words"
        )

    def _at(self, where: np.ndarray) -> str:
        return f"{self.name}: row {self.rows + int(where.argmax()) + 1:,}"


_EXACT = 2.0**53
"""From here on not every whole number is a float."""
_WHOLE = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NOT_FINITE = {"nan", "inf", "infinity", "na", "null"}
