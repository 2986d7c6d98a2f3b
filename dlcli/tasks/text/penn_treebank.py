"""Penn Treebank language modeling by word or by character."""

from collections.abc import Sequence

from dlcli.core.task import Fitted
from dlcli.data.files import data_file
from dlcli.data.text import read_text
from dlcli.data.vocabulary import unit_named
from dlcli.tasks.text.language_model import LanguageModeling


class PennTreebank(LanguageModeling):
    """Penn Treebank in Mikolov's preprocessing: lower case, 10,000 words, rare words as <unk>, numbers as N.

    By word 929,589 / 73,760 / 82,430 tokens, including the ends of lines. By character, with one symbol for the end
    of a line, 5,101,618 / 399,782 / 449,945 tokens of 50 symbols: the alphabet size of the paper, whose numbers of
    characters (5,059K / 396K / 446K) exclude the ends of lines.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4; Mikolov et al. 2010, Interspeech.
    Differs: the authors do not score the first `context` tokens of a stream, and drop tokens that do not fill the
    streams; this class scores every token of a split except the first. Their character script spells the end of a line
    as the five characters "<eos>", four of which are trivial to predict; `newline: "<eos>"` reproduces this (49
    symbols).

    Args:
        unit: "word" or "char".
        newline: token for the end of a line.
        batch: number of parallel streams in training.
        context: tokens of a window before the scored ones; 0 carries the state of stateful models between windows.
        length: scored tokens per window.
        fitted: vocabulary of a saved run; None builds it from the training text, frequent tokens first.
        metrics: names of the reported metrics; None: all of them.

    Raises:
        Missing: a file is missing.
        UsageError: a number is too small, or the unit is unknown.
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
        tokenizer = unit_named(unit)
        corpora = {
            split: tokenizer.split(read_text(data_file("ptb", f"ptb.{split}.txt")), newline)
            for split in ("train", "valid", "test")
        }
        super().__init__(
            corpora, tokenizer, batch=batch, context=context, length=length, fitted=fitted, metrics=metrics
        )
