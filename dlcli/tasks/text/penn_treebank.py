"""The Penn Treebank, by word or by character."""

from collections.abc import Sequence

from dlcli.core.task import Fitted
from dlcli.data.files import data_file
from dlcli.data.text import read_text
from dlcli.data.vocabulary import unit_named
from dlcli.tasks.text.language_model import Language


class PennTreebank(Language):
    """News text in Mikolov's preparation: lower case, 10,000 words, rarer ones as <unk>, numbers as N.

    By word 929,589 / 73,760 / 82,430 tokens, the end of a line among them. By character, with the end of a
    line as one, 5,101,618 / 399,782 / 449,945 tokens of 50 symbols: the alphabet size in the paper, whose
    counts of characters (5,059K / 396K / 446K) are these without the ends of lines.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4; Mikolov et al. 2010, Interspeech.
    Differs: the authors never score the first `context` tokens of a stream and drop what does not fill the
    streams; here every token but the first of a split is scored. Their character script spells the end of a
    line as the five characters "<eos>", four of them foregone conclusions; `newline: "<eos>"` does the same
    (49 symbols).

    Args:
        unit: "word" or "char".
        newline: what the end of a line becomes.
        batch: parallel streams in training.
        context: tokens a window reads before those it is scored on, 0 to carry the state of models with
            memory.
        length: tokens a window is scored on.
        fitted: the vocabulary of an earlier run; null takes it from the training text, frequent tokens first.
        metrics: names of the reported metrics; null: all of them.

    Raises:
        Missing: a file is missing.
        UsageError: a number is too small, or the unit unknown.
    """

    def __init__(
        self,
        *,
        unit: str,
        newline: str,
        batch: int,
        context: int,
        length: int,
        fitted: Fitted | None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        cut = unit_named(unit)
        corpora = {
            split: cut.split(read_text(data_file("ptb", f"ptb.{split}.txt")), newline)
            for split in ("train", "valid", "test")
        }
        super().__init__(corpora, cut, batch=batch, context=context, length=length, fitted=fitted, metrics=metrics)
