"""Language modeling on the user's own text file."""

from collections.abc import Sequence
from pathlib import Path

from dlcli.core.errors import UsageError
from dlcli.core.task import Fitted
from dlcli.data.text import read_text
from dlcli.data.vocabulary import UNKNOWN, unit_named
from dlcli.tasks.text.language_model import LanguageModeling


class TextFile(LanguageModeling):
    """UTF-8 text, split in the order of the file into training, validation and test parts.

    The split "all" is the complete file, for evaluation on another text. The vocabulary always includes UNKNOWN, for
    tokens that do not occur in the training part; their number is logged.

    Args:
        path: the file.
        unit: "char" or "word" (separated by white space).
        newline: token for the end of a line.
        fractions: shares of the tokens for training, validation and test; they sum to 1.
        min_count: training tokens that occur less often become UNKNOWN.
        batch: number of parallel streams in training.
        context: tokens of a window before the scored ones; 0 carries the state of stateful models between windows.
        length: scored tokens per window.
        fitted: vocabulary of a saved run; None builds it from the training part, frequent tokens first.
        metrics: names of the reported metrics; None: all of them.

    Raises:
        UsageError: no path is given; the file is missing, empty or not UTF-8; the training part is shorter than one
            window; the unit is unknown or a number out of range.
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
            raise UsageError("required", key="task.path", reason="a text file", hint="task.path=FILE")
        tokenizer = unit_named(unit)
        tokens = tokenizer.split(read_text(Path(path).expanduser()), newline)
        super().__init__(
            _split_tokens(tokens, fractions) | {"all": tokens},
            tokenizer,
            batch=batch,
            context=context,
            length=length,
            min_count=min_count,
            reserved=(UNKNOWN,),
            fitted=fitted,
            metrics=metrics,
        )


def _split_tokens(tokens: Sequence[str], fractions: Sequence[float]) -> dict[str, Sequence[str]]:
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        must = "three non-negative numbers with the sum 1"
        raise UsageError("invalid_value", key="task.fractions", must=must, got=list(fractions))
    first = round(len(tokens) * fractions[0])
    second = first + round(len(tokens) * fractions[1])
    return {"train": tokens[:first], "valid": tokens[first:second], "test": tokens[second:]}
