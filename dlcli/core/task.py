"""Task protocol: data, loss and metrics. The contract between data, models, objectives, learners and the engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.metric import Goal, Metric
from dlcli.core.spec import Spec

Carry = Any
"""What a model remembers from one batch to the next: tensors, or tuples and lists of them, batch axis first."""

Fitted = Mapping[str, Any]
"""What a task learned from its training data (vocabulary, normalisation, categories): tensors, lists, scalars."""


@dataclass(frozen=True)
class Batch:
    """Rows of a split.

    Args:
        inputs: what the model is called with, batch axis first.
        target: what is wanted, batch axis first.
        first: bool [batch]; True where a carried state starts anew.
        step: the index the batch was asked for.
        epoch: complete passes over the split before this batch.
        index: int64 [batch]; which sample of the split each row is.
        split: whose samples they are; "" where the task needs no reminder.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    first: Tensor
    step: int
    epoch: int
    index: Tensor
    split: str = ""

    def __len__(self) -> int:
        return len(self.index)

    def with_inputs(self, *inputs: Tensor) -> "Batch":
        """The same rows with other inputs (augmentation, mixing)."""
        return replace(self, inputs=inputs)


@dataclass(frozen=True)
class Loss:
    """A value to descend.

    Args:
        value: 0-d, the mean over `weight` units, attached to the graph; 0 with a gradient of 0 if no unit is labeled.
        terms: its parts and companions, 0-d and detached, logged by name.
        weight: how many units (samples, frames, tokens) the mean is over: what averages over unequal batches
            and processes are weighted with.
        carry: what to hand to the next batch, detached; None without memory.
    """

    value: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    weight: float | Tensor = 1.0
    carry: Carry = None


@dataclass(frozen=True)
class Score:
    """A metric as sums, so that averages are right on uneven batches: mean = total.sum() / weight.sum().

    Args:
        total: [batch] sum over a row's units.
        weight: [batch] how many units the row has.
    """

    total: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Metrics:
    """Scores of one batch by name, and the carry for the next batch.

    Args:
        values: by metric name.
        carry: recurrent state for the next batch, detached; None without memory.
        output: the model's output, for statistics that are no means (a confusion matrix); None if the task keeps it.
        collected: outputs and targets of the batch's labeled units, unit axis first, for metrics of the whole split;
            None if no such metric is reported.
    """

    values: Mapping[str, Score]
    carry: Carry = None
    output: Tensor | None = None
    collected: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Baseline:
    """The trivial predictor of a task.

    Args:
        name: what it predicts: "majority class", "mean", "last value".
        predictor: scored in place of a model.
        rows: samples of the split that are scored; None for all.
    """

    name: str
    predictor: nn.Module
    rows: int | None = None


@runtime_checkable
class Task(Protocol):
    """Data, loss and metrics, in splits "train", "valid", "test" (and "all" where a user's own data are scored)."""

    spec: Spec
    main: Goal
    fitted: Fitted

    def size(self, split: str) -> int:
        """Batches in one pass over the split."""

    def rows(self, split: str) -> int:
        """Samples in one pass over the split: the rows of all its batches."""

    def batch(self, split: str, index: int) -> Batch:
        """Batch `index`, a pure function of its arguments; training batches go on after one pass (the next epoch)."""

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        """Scores of the model on the batch, for metrics that are means; called in evaluation mode under `no_grad`."""

    def to(self, device: torch.device) -> "Task":
        """Move the data to the device; returns itself."""


@runtime_checkable
class Supervised(Task, Protocol):
    """A task with a loss that gradients descend. An environment has none."""

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        """The task's own loss of the model on the batch."""


@runtime_checkable
class Reports(Protocol):
    """A task that declares its metrics. One that does not can be ranked by its main metric only."""

    reported: Sequence[Metric]
    """Every metric that a scoring reports."""


@runtime_checkable
class HasBaseline(Protocol):
    """A task with a trivial predictor, whose scores are the baselines of the metrics."""

    def baseline(self) -> Baseline | None:
        """The trivial predictor; None if the data to fit it to are missing."""


@runtime_checkable
class Predicts(Protocol):
    """A task that can write one row a sample (`dlcli eval RUN --predictions FILE.csv`)."""

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        """Columns of equal length, one entry a sample, and the carry for the next batch."""


@runtime_checkable
class PredictsNew(Protocol):
    """A task that predicts for a user's new file, without targets (`dlcli predict RUN FILE`)."""

    @property
    def prediction_splits(self) -> Sequence[str]:
        """Splits that together hold every sample of the file once."""

    def predicted(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, np.ndarray], Carry]:
        """Return columns of equal length and the carry for the next batch.

        The first columns state the source of each row (`row` or `file`, series); `prediction` and
        `probability_<label>` are in the units and label names of the training data.
        """


@runtime_checkable
class Sorts(Protocol):
    """A task whose target is of classes with names; its `metrics` hand on the scores of the classes as their output."""

    classes: Sequence[str]
    """Names, in the order of their numbers."""


@runtime_checkable
class Composed(Protocol):
    """A task whose inputs are put together from single images."""

    def sources(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The single images [batch, source, channel, height, width] where they lie in the input, and their classes.

        Classes are int64 [batch, source]; a row that has fewer is filled with class -100 and black.
        """


@runtime_checkable
class Recurrent(Protocol):
    """A model with memory: called with `carry=` it answers `(output, carry)`; without, just the output."""

    def start(self, batch: int) -> Carry:
        """The carry of `batch` sequences that have seen nothing."""


def declared(task: Task) -> dict[str, Metric]:
    """The metrics of a task by name, its main metric among them."""
    main = task.main
    own = {metric.name: metric for metric in (task.reported if isinstance(task, Reports) else ())}
    return own if main.metric in own else {main.metric: Metric(main.metric, main.direction, ties=main.ties), **own}


def call(model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[Tensor, Carry]:
    """The model's output on a batch that continues earlier ones, and its detached carry (None without memory).

    Rows marked `first` start from `model.start`.
    """
    if not isinstance(model, Recurrent):
        return model(*batch.inputs), None
    fresh = model.start(len(batch))
    begin = fresh if carry is None else merge(batch.first, fresh, carry)
    output, after = model(*batch.inputs, carry=begin)
    return output, detach(after)


def few(batch: Batch, rows: int) -> Batch:
    """The first rows of a batch."""
    inputs = tuple(part[:rows] for part in batch.inputs)
    return replace(batch, inputs=inputs, target=batch.target[:rows], first=batch.first[:rows], index=batch.index[:rows])


def merge(first: Tensor, fresh: Carry, carry: Carry) -> Carry:
    """`fresh` in the rows marked first, `carry` in the others."""
    if carry is None:
        return fresh
    if isinstance(carry, Tensor):
        return torch.where(first.view(-1, *[1] * (carry.dim() - 1)), fresh, carry)
    return type(carry)(merge(first, new, old) for new, old in zip(fresh, carry, strict=True))


def over(carry: Carry, change: Callable[[Tensor], Tensor]) -> Carry:
    """The carry with a function over its tensors."""
    if carry is None or isinstance(carry, Tensor):
        return carry if carry is None else change(carry)
    return type(carry)(over(part, change) for part in carry)


def move(carry: Carry, device: torch.device) -> Carry:
    """The carry on a device."""
    return over(carry, lambda part: part.to(device))


def detach(carry: Carry) -> Carry:
    """The carry cut off from the graph."""
    return over(carry, Tensor.detach)
