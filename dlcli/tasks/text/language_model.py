"""Language modeling: predict the next character or word of a text."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.metric import Derived, Metric, choose, per_sample
from dlcli.core.option_checks import check_at_least
from dlcli.core.spec import IGNORED, Classes, Spec
from dlcli.core.task import Baseline, Batch, Carry, Fitted, Loss, Metrics, call
from dlcli.data.vocabulary import Unit, Vocabulary
from dlcli.tasks.targets import classification
from dlcli.tasks.targets.adapter import of_output
from dlcli.tasks.targets.baselines import ConstantOutput
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.text.token_streams import TokenStreams

_log = logging.getLogger("dlcli")

_SCORED_STREAMS = 10  # evaluation batch size of the TCN authors' word script; metrics do not depend on `batch`
_METRICS = (
    Metric("nll", "min", "nats", of_output(classification.nll)),
    Metric("accuracy", "max", "", of_output(classification.accuracy)),
    Metric("perplexity", "min", "", Derived(lambda means: math.exp(min(means["nll"], 700.0)), ("nll",))),
)
_MIN_WINDOWS = 20  # minimum windows per evaluation stream, so that the initial state has little effect


class LanguageModeling:
    """Language modeling on parallel streams of windows.

    Each window reads `context` tokens without loss and predicts `length` further tokens. With a context, windows are
    independent, as convolutional models require. Without one, stateful models carry their state from window to window
    and reset it at the start of each pass over the text. In both cases every token of a split except the first is
    scored exactly once per pass. `nll` is in nats per token.

    Subclasses only load a corpus and call `super().__init__`.

    Args:
        corpora: tokens of "train", "valid", "test", and optionally "all".
        unit: type of the tokens.
        batch: number of parallel streams in training.
        context: tokens of a window before the scored ones; 0 carries the state between windows.
        length: scored tokens per window.
        min_count: training tokens that occur less often become UNKNOWN.
        reserved: symbols that are always part of the vocabulary.
        fitted: vocabulary of a saved run; None builds it from the training text.
        metrics: names of the reported metrics; None: all of them.

    Raises:
        UsageError: a number is too small, or the training text is shorter than one window.
    """

    def __init__(
        self,
        corpora: Mapping[str, Sequence[str]],
        unit: Unit,
        *,
        batch: int,
        context: int,
        length: int,
        min_count: int = 1,
        reserved: Sequence[str] = (),
        fitted: Fitted | None = None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        check_at_least(1, batch=batch, length=length, min_count=min_count)
        check_at_least(0, context=context)
        if fitted is None:
            _check_window(len(corpora["train"]), context, length)
            self.vocabulary = Vocabulary.fit(corpora["train"], min_count=min_count, reserved=reserved)
        else:
            self.vocabulary = Vocabulary.restore(fitted)
        self.fitted: Fitted = {"vocabulary": self.vocabulary.symbols}
        tokens = Classes(len(self.vocabulary), (None,))
        self.spec = Spec((tokens,), tokens, causal=True)
        available = (*_METRICS, unit.bits)
        self.reported = choose(available, [metric.name for metric in available], unit.main, metrics)
        self.main = next(metric.goal for metric in self.reported if metric.name == unit.main)
        self.unit = unit
        self.targets = Classification(self.vocabulary.symbols)
        self._carries = context == 0
        self._splits = {
            name: self._streams(name, text, batch, context, length) for name, text in corpora.items() if len(text) > 1
        }
        trivial = None if fitted is None else fitted.get("trivial")
        if trivial is None and "train" in self._splits:
            trivial = self.targets.constant([self._splits["train"].tokens])
        if trivial is not None:
            self.fitted = {**self.fitted, "trivial": trivial}

    def _streams(self, split: str, text: Sequence[str], batch: int, context: int, length: int) -> TokenStreams:
        tokens, unknown = self.vocabulary.encode(text)
        if unknown:
            _log.info("%s: %d of %d tokens are not in the vocabulary", split, unknown, len(tokens))
        scored = max(1, min(_SCORED_STREAMS, len(tokens) // (length * _MIN_WINDOWS)))
        return TokenStreams(tokens, streams=batch if split == "train" else scored, context=context, length=length)

    def _split(self, split: str) -> TokenStreams:
        if split not in self._splits:
            kind = "split (with at least two tokens)"
            raise UsageError("not_found", kind=kind, name=split, known=self._splits)
        return self._splits[split]

    def size(self, split: str) -> int:
        return self._split(split).size

    def rows(self, split: str) -> int:
        """Number of windows of the split, including those that pad the last batches."""
        streams = self._split(split)
        return streams.size * streams.streams

    def batch(self, split: str, index: int) -> Batch:
        epoch, position = divmod(index, self.size(split))
        number, x, target = self._split(split).window(position)
        first = torch.full_like(number, position == 0 or not self._carries, dtype=torch.bool)
        return Batch((x,), target, first, index, epoch, number)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        output, after = call(model, batch, carry)
        # Class axis last: with ten thousand words twice as fast as the middle axis.
        value, weight = self.targets.loss(output.transpose(1, 2).flatten(0, 1), batch.target.flatten())
        return Loss(value, {}, weight, after)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        output, after = call(model, batch, carry)
        return Metrics(per_sample(self.reported, model, batch, output), after)

    def baseline(self) -> Baseline | None:
        """The unigram model: frequencies of the tokens of the training text; None without a training text."""
        constant = self.fitted.get("trivial")
        if constant is None:
            return None
        return Baseline("unigram", ConstantOutput(constant, (None,)))

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        """One row per window with scored tokens: number, token count, mean nll in nats per token, and text."""
        output, after = call(model, batch, carry)
        score = classification.nll(output, batch.target)
        rows = score.weight.nonzero()[:, 0]
        weight = score.weight[rows]
        columns = {
            "window": batch.index[rows].tolist(),
            "tokens": weight.int().tolist(),
            "nll": (score.total[rows] / weight).tolist(),
            "text": [self._text(target) for target in batch.target[rows]],
        }
        return columns, after

    def _text(self, target: Tensor) -> str:
        return self.unit.glue.join(self.vocabulary.symbols[token] for token in target[target != IGNORED].tolist())

    def to(self, device: torch.device) -> "LanguageModeling":
        self._splits = {name: streams.to(device) for name, streams in self._splits.items()}
        return self


def _check_window(tokens: int, context: int, length: int) -> None:
    window = context + length + 1
    if tokens < window:
        raise UsageError(
            "mismatch",
            subject="a window (task.context + task.length + 1)",
            requirement=f"a training text of at least {window} tokens",
            got=tokens,
            hint="reduce task.context or task.length",
        )
