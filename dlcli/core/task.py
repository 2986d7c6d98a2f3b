"""Task protocol: data, loss and metrics of a problem, with the batches and losses that the engine exchanges."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.metric import Goal, Metric, choose
from dlcli.core.spec import Spec

Carry = Any
"""Recurrent state between batches: a tensor, or nested tuples and lists of tensors, batch axis first."""

Fitted = Mapping[str, Any]
"""Statistics of the training data (vocabulary, normalization, categories): tensors, lists, scalars."""


@dataclass(frozen=True)
class Batch:
    """Batch of a split.

    Args:
        inputs: arguments of the model, batch axis first.
        target: targets, batch axis first.
        first: bool [batch]; True for rows at which the recurrent state restarts.
        step: index of the batch.
        epoch: number of complete passes over the split before this batch.
        index: int64 [batch]; sample of the split in each row.
        split: name of the split; empty if the task does not need it.
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
        """Return the same rows with other inputs (augmentation, mixup)."""
        return replace(self, inputs=inputs)


@dataclass(frozen=True)
class Loss:
    """Scalar training loss with logged terms and a normalization weight.

    Args:
        value: 0-d, the mean over `weight` units, attached to the graph; 0 with a gradient of 0 if no unit is labeled.
        terms: further values to log by name, 0-d and detached.
        weight: number of units (samples, frames, tokens) in the mean; the weight of this value in averages over batches
            and processes.
        carry: recurrent state for the next batch, detached; None for models without memory.
    """

    value: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)
    weight: float | Tensor = 1.0
    carry: Carry = None


@dataclass(frozen=True)
class Score:
    """Metric of a batch as sums, so that means over batches of unequal size are exact: total.sum() / weight.sum().

    Args:
        total: [batch], sum over the units of each row.
        weight: [batch], number of units of each row.
    """

    total: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Metrics:
    """Scores of one batch by name, and the carry for the next batch.

    Args:
        values: scores by metric name.
        carry: recurrent state for the next batch, detached; None for models without memory.
        output: output of the model, for statistics that are not means (a confusion matrix); None if it is not provided.
        collected: outputs and targets of the batch's labeled units, unit axis first, for metrics of the whole split;
            None if no such metric is reported.
    """

    values: Mapping[str, Score]
    carry: Carry = None
    output: Tensor | None = None
    collected: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Baseline:
    """Trivial predictor of a task, the baseline of its metrics.

    Args:
        name: its prediction: "majority class", "mean", "last value".
        predictor: module that is scored in place of a model.
        rows: number of scored samples of a split; None for all.
    """

    name: str
    predictor: nn.Module
    rows: int | None = None


@runtime_checkable
class Task(Protocol):
    """Data and metrics in the splits "train", "valid" and "test", and "all" for data of the user."""

    spec: Spec
    main: Goal
    fitted: Fitted

    def size(self, split: str) -> int:
        """Return the number of batches in one pass over the split."""

    def rows(self, split: str) -> int:
        """Return the number of samples in one pass over the split: the rows of all its batches."""

    def batch(self, split: str, index: int) -> Batch:
        """Return a batch, a pure function of the arguments.

        Args:
            split: "train", "valid", "test" or "all".
            index: from 0; indices of the training split continue after one pass with the next epoch.
        """

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        """Compute the scores of the model on a batch, in evaluation mode under `no_grad`."""

    def to(self, device: torch.device) -> "Task":
        """Move the data to a device and return the task."""


@runtime_checkable
class SupervisedTask(Task, Protocol):
    """Task with a differentiable loss (an environment has none)."""

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        """Compute the task's loss of the model on a batch."""


@runtime_checkable
class ReportsMetrics(Protocol):
    """Task that declares its metrics; models of other tasks can be ranked by the main metric only."""

    reported: Sequence[Metric]
    """Every metric that an evaluation reports."""


@runtime_checkable
class HasBaseline(Protocol):
    """Task with a trivial predictor, whose scores are the baselines of the metrics."""

    def baseline(self) -> Baseline | None:
        """Return the trivial predictor; None if the data for its fit are missing."""


@runtime_checkable
class Predicts(Protocol):
    """Task that formats predictions, one row per sample (`dlcli eval RUN --predictions FILE.csv`)."""

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        """Return columns of equal length, one entry per sample, and the carry for the next batch."""


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
class HasClasses(Protocol):
    """Classification task with class names; its `metrics` return the logits as their output."""

    classes: Sequence[str]
    """Class names by class index."""


@runtime_checkable
class CompositeImages(Protocol):
    """Task whose inputs are composed of single images."""

    def sources(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the single images at their positions in the input, and their classes.

        Returns:
            images [batch, source, channel, height, width] and classes int64 [batch, source]; rows with fewer sources
            are padded with black images of class -100.
        """


@runtime_checkable
class Recurrent(Protocol):
    """Model with memory: called with `carry=` it returns (output, carry); without it, only the output."""

    def start(self, batch: int) -> Carry:
        """Return the initial carry of `batch` sequences."""


def declared_metrics(task: Task) -> dict[str, Metric]:
    """Return the metrics of a task by name, including its main metric."""
    main = task.main
    reported = {metric.name: metric for metric in (task.reported if isinstance(task, ReportsMetrics) else ())}
    if main.metric in reported:
        return reported
    return {main.metric: Metric(main.metric, main.direction, ties=main.ties), **reported}


def select_metrics(task: Task, names: Sequence[str] | None) -> Task:
    """The task with a selection of its declared metrics (`task.metrics`), the main metric among them.

    For tasks whose constructor does not select: the values of other metrics are dropped by the evaluation.

    Args:
        names: None selects all declared metrics.

    Raises:
        UsageError: the task does not declare metrics, or not one of the names.
    """
    if names is None:
        return task
    if not isinstance(task, ReportsMetrics):
        hint = "Its class declares no metrics: add `reported`, a list of dlcli.core.metric.Metric."
        raise UsageError("unsupported", subject=type(task).__name__, feature="task.metrics", hint=hint)
    known = declared_metrics(task)
    task.reported = choose(known.values(), [*known], task.main.metric, names)
    task.omitted = known.keys() - declared_metrics(task).keys()  # type: ignore[attr-defined]
    return task


def call(model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[Tensor, Carry]:
    """Compute the output of a model on a batch that continues earlier ones, and the detached carry.

    Args:
        model: with or without memory; the carry of a model without memory is None.
        batch: rows marked `first` start from `model.start`.
        carry: recurrent state after the previous batch; None starts all rows from `model.start`.
    """
    if not isinstance(model, Recurrent):
        return model(*batch.inputs), None
    initial = model.start(len(batch))
    before = initial if carry is None else merge_carry(batch.first, initial, carry)
    output, after = model(*batch.inputs, carry=before)
    return output, detach_carry(after)


def first_rows(batch: Batch, rows: int) -> Batch:
    """Return the first rows of a batch."""
    inputs = tuple(part[:rows] for part in batch.inputs)
    return replace(batch, inputs=inputs, target=batch.target[:rows], first=batch.first[:rows], index=batch.index[:rows])


def merge_carry(first: Tensor, fresh: Carry, carry: Carry) -> Carry:
    """Select `fresh` for rows marked `first` (bool [batch]) and `carry` for the other rows."""
    if carry is None:
        return fresh
    if isinstance(carry, Tensor):
        return torch.where(first.view(-1, *[1] * (carry.dim() - 1)), fresh, carry)
    return type(carry)(merge_carry(first, new, old) for new, old in zip(fresh, carry, strict=True))


def map_carry(carry: Carry, change: Callable[[Tensor], Tensor]) -> Carry:
    """Apply a function to every tensor of a carry."""
    if carry is None or isinstance(carry, Tensor):
        return carry if carry is None else change(carry)
    return type(carry)(map_carry(part, change) for part in carry)


def move_carry(carry: Carry, device: torch.device) -> Carry:
    """Move a carry to a device."""
    return map_carry(carry, lambda part: part.to(device))


def detach_carry(carry: Carry) -> Carry:
    """Detach a carry from the graph."""
    return map_carry(carry, Tensor.detach)
