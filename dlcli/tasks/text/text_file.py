"""A text file of the user's own."""

from collections.abc import Sequence
from pathlib import Path

from dlcli.core.errors import UsageError
from dlcli.core.task import Fitted
from dlcli.data.text import read_text
from dlcli.data.vocabulary import UNKNOWN, unit_named
from dlcli.tasks.text.language_model import Language


class TextFile(Language):
    """One UTF-8 text, cut in the order of the file: its beginning trains, its end tests.

    The split "all" is the whole file, for scoring a text that was not trained on. The vocabulary always has
    UNKNOWN, for tokens that the training part lacks; how many those are is logged.

    Args:
        path: the file.
        unit: "char" or "word" (between white space).
        newline: what the end of a line becomes.
        fractions: of the tokens, for train, valid and test; they sum to 1.
        min_count: tokens of the training part that are rarer become UNKNOWN.
        batch: parallel streams in training.
        context: tokens a window reads before those it is scored on, 0 to carry the state of models with
            memory.
        length: tokens a window is scored on.
        fitted: the vocabulary of an earlier run; null takes it from the training part, frequent tokens first.
        metrics: names of the reported metrics; null: all of them.

    Raises:
        UsageError: no path; a file that is missing, empty or not UTF-8; a training part too short for one
            window; an unknown unit or a wrong number.
    """

    def __init__(
        self,
        *,
        path: str | None,
        unit: str,
        newline: str,
        fractions: Sequence[float],
        min_count: int,
        batch: int,
        context: int,
        length: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        if path is None:
            raise UsageError("task.path is the text to learn: task=text task.path=FILE")
        cut = unit_named(unit)
        tokens = cut.split(read_text(Path(path).expanduser()), newline)
        super().__init__(
            _cut(tokens, fractions) | {"all": tokens},
            cut,
            batch=batch,
            context=context,
            length=length,
            min_count=min_count,
            reserved=(UNKNOWN,),
            fitted=fitted,
            metrics=metrics,
        )


def _cut(tokens: Sequence[str], fractions: Sequence[float]) -> dict[str, Sequence[str]]:
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise UsageError(
            f"task.fractions are three numbers of at least 0 with the sum 1, not {', '.join(map(str, fractions))}"
        )
    first = round(len(tokens) * fractions[0])
    second = first + round(len(tokens) * fractions[1])
    return {"train": tokens[:first], "valid": tokens[first:second], "test": tokens[second:]}
