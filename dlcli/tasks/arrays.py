"""Tasks on in-memory data: batches are gathered from tensors on their device."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.metric import Goal, PerSplit, choose, per_sample
from dlcli.core.rng import generator
from dlcli.core.spec import Spec
from dlcli.core.task import Baseline, Batch, Carry, Fitted, Loss, Metrics
from dlcli.tasks.targets.adapter import OutputTargets
from dlcli.tasks.targets.baselines import ConstantOutput
from dlcli.tasks.targets.protocol import HasConstantBaseline, HasSplitMetrics, OutputRule, Targets

_EVAL_FACTOR = 4  # evaluation keeps no activations for a backward pass, so its batches can be larger
_CHUNK = 512  # rows whose targets are generated at a time
_BASELINE_ROWS = 4096  # rows of a generated training split to which the baseline is fitted


@runtime_checkable
class Samples(Protocol):
    """Samples of a split, in any storage format."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and target of the rows, batch axis first."""

    def to(self, device: torch.device) -> "Samples": ...


@runtime_checkable
class RandomizedSamples(Samples, Protocol):
    """Samples that differ between epochs."""

    def vary(self, rows: Tensor, *key: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and target for training; the random numbers of a row depend on the key and the row number only."""


@runtime_checkable
class HasTargets(Protocol):
    """Samples whose targets are in memory."""

    @property
    def target(self) -> Tensor:
        """Targets of all samples, sample axis first."""


@dataclass(frozen=True)
class TensorSamples:
    """Samples stored as tensors: inputs and target, sample axis first."""

    inputs: tuple[Tensor, ...]
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        return tuple(part[rows] for part in self.inputs), self.target[rows]

    def to(self, device: torch.device) -> "TensorSamples":
        return TensorSamples(tuple(part.to(device) for part in self.inputs), self.target.to(device))


class InMemoryTask:
    """Task on in-memory data: training batches are reshuffled in every epoch, other splits are read in order.

    Subclasses only load a data set and call `super().__init__`.

    Args:
        splits: samples of "train", "valid", "test", and optionally "all".
        spec: shapes and types of inputs and target.
        targets: loss and metrics, queried with (model, batch); rules on (output, target) are adapted.
        batch: training batch size; evaluation uses four times as many samples per batch.
        order: seed of shuffling and of the random samples of `RandomizedSamples` splits.
        fitted: quantities learned from the training data; "trivial" is the constant prediction of the baseline.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        UsageError: `batch` is below 1, an empty split is requested, or a metric is unknown.
    """

    def __init__(
        self,
        splits: Mapping[str, Samples],
        spec: Spec,
        targets: Targets | OutputRule,
        *,
        batch: int,
        order: int,
        fitted: Fitted | None = None,
        metrics: Sequence[str] | None = None,
    ) -> None:
        if batch < 1:
            raise UsageError("invalid_value", key="task.batch", must="at least 1", got=batch)
        self.spec = spec
        self.targets: Targets = targets if isinstance(targets, Targets) else OutputTargets(targets)
        self.reported = choose(self.targets.available, self.targets.default, self.targets.main, metrics)
        self.main: Goal = next(metric.goal for metric in self.reported if metric.name == self.targets.main)
        self.fitted: Fitted = fitted or {}
        self._collects = any(isinstance(metric.compute, PerSplit) for metric in self.reported)
        rule = self.targets.rule if isinstance(self.targets, OutputTargets) else self.targets
        if (names := getattr(rule, "names", None)) is not None:
            self.classes: Sequence[str] = names
        self._splits = dict(splits)
        self._rows, self._order = batch, order
        self._device = torch.device("cpu")
        self._shuffled = lru_cache(maxsize=2)(self._permutation)

    def _permutation(self, epoch: int) -> Tensor:
        return torch.randperm(len(self._splits["train"]), generator=generator(self._order, epoch)).to(self._device)

    def _split(self, split: str) -> Samples:
        samples = self._splits.get(split)
        if samples is None or not len(samples):
            known = [name for name, samples in self._splits.items() if len(samples)]
            raise UsageError("not_found", kind="split with samples", name=split, known=known)
        return samples

    def size(self, split: str) -> int:
        return -(-len(self._split(split)) // self._batch_rows(split))

    def rows(self, split: str) -> int:
        return len(self._split(split))

    def _batch_rows(self, split: str) -> int:
        return self._rows if split == "train" else self._rows * _EVAL_FACTOR

    def batch(self, split: str, index: int) -> Batch:
        samples, rows = self._split(split), self._batch_rows(split)
        epoch, position = divmod(index, self.size(split))
        begin, end = position * rows, min((position + 1) * rows, len(samples))
        if split == "train":
            numbers = self._shuffled(epoch)[begin:end]
            key = (self._order, epoch)
            inputs, target = (
                samples.vary(numbers, *key) if isinstance(samples, RandomizedSamples) else samples.take(numbers)
            )
        else:
            numbers = torch.arange(begin, end, device=self._device)
            inputs, target = samples.take(slice(begin, end))
        first = torch.ones(end - begin, dtype=torch.bool, device=self._device)
        return Batch(inputs, target, first, index, epoch, numbers, split)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return self.targets.loss(model, batch)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        output = self.targets.output(model, batch)
        collected = None
        if self._collects:
            assert isinstance(self.targets, HasSplitMetrics)
            collected = self.targets.collected(output, batch)
        plain = output if isinstance(output, Tensor) else None
        return Metrics(per_sample(self.reported, model, batch, output), output=plain, collected=collected)

    def baseline(self) -> Baseline | None:
        """The constant prediction that fits the training targets; None without training data."""
        if not isinstance(self.targets, HasConstantBaseline):
            return None
        constant = self.fitted.get("trivial")
        if constant is None:
            train = self._splits.get("train")
            if train is None or not len(train):
                return None
            constant = self.targets.constant(_targets(train))
        return Baseline(self.targets.baseline_name, ConstantOutput(constant, self.spec.target.positions))

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        columns = {"sample": batch.index.tolist()}
        return columns | self.targets.columns(model, batch), None

    @property
    def prediction_splits(self) -> Sequence[str]:
        return ("all",)

    def predicted(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, np.ndarray], Carry]:
        """Columns `row` (position in the file, from 0) and the predictions.

        Raises:
            Mismatch: the targets have no predictions for new data.
        """
        if not isinstance(self.targets, OutputTargets):
            raise Mismatch("unsupported", subject=type(self.targets).__name__, feature="predictions for new data")
        return {"row": batch.index.cpu().numpy()} | self.targets.predicted(model, batch), carry

    def to(self, device: torch.device) -> "InMemoryTask":
        self._splits = {name: samples.to(device) for name, samples in self._splits.items()}
        self._device = device
        self._shuffled.cache_clear()
        return self


def _targets(samples: Samples) -> Iterator[Tensor]:
    """Targets of a split; of a generated split, those of its first rows."""
    if isinstance(samples, HasTargets):
        yield samples.target
        return
    end = min(len(samples), _BASELINE_ROWS)
    for begin in range(0, end, _CHUNK):
        yield samples.take(slice(begin, min(begin + _CHUNK, end)))[1]
