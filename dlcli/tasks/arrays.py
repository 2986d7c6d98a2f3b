"""Data that fit in memory: batches are gathered from tensors, on the device that holds them."""

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
from dlcli.tasks.targets.baselines import Constant
from dlcli.tasks.targets.protocol import Collects, OutputRule, Targets, Trivial

_SCORING = 4  # scoring keeps no activations for a backward pass, so its batches can be larger
_CHUNK = 512  # rows of a split whose targets are generated at a time
_MOST = 4096  # rows of a generated training split to which the baseline is fitted


@runtime_checkable
class Samples(Protocol):
    """A split, however it is stored: what a batch takes from it."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        """Inputs and target of the rows, batch axis first."""

    def to(self, device: torch.device) -> "Samples": ...


@runtime_checkable
class Varied(Samples, Protocol):
    """A split whose samples look different in every epoch."""

    def vary(self, rows: Tensor, *words: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """As `take`, for training: what is drawn for a row is a function of the words and its number alone."""


@runtime_checkable
class Stored(Protocol):
    """A split whose targets lie in memory."""

    @property
    def target(self) -> Tensor:
        """Of all samples, sample axis first."""


@dataclass(frozen=True)
class Arrays:
    """A split as it is: inputs and target, sample axis first."""

    inputs: tuple[Tensor, ...]
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        return tuple(part[rows] for part in self.inputs), self.target[rows]

    def to(self, device: torch.device) -> "Arrays":
        return Arrays(tuple(part.to(device) for part in self.inputs), self.target.to(device))


class ArrayTask:
    """A task over arrays: training batches are shuffled anew every epoch, the other splits are read in order.

    Made to be constructed, not overridden: a data set is a subclass that only loads and calls `super().__init__`.

    Args:
        splits: "train", "valid", "test", and "all" where there is one.
        spec: what a model may know.
        targets: loss and metrics, queried with (model, batch); rules on (output, target) are adapted.
        batch: rows of a training batch; scoring takes four times as many.
        order: seed of the shuffling, and of how a `Varied` split varies.
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
            raise UsageError(f"task.batch is at least 1, not {batch}")
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
            filled = ", ".join(name for name, samples in self._splits.items() if len(samples))
            raise UsageError(f"the task has no samples in split {split!r} (available: {filled})")
        return samples

    def size(self, split: str) -> int:
        return -(-len(self._split(split)) // self._batch_rows(split))

    def rows(self, split: str) -> int:
        return len(self._split(split))

    def _batch_rows(self, split: str) -> int:
        return self._rows if split == "train" else self._rows * _SCORING

    def batch(self, split: str, index: int) -> Batch:
        samples, rows = self._split(split), self._batch_rows(split)
        epoch, place = divmod(index, self.size(split))
        begin, end = place * rows, min((place + 1) * rows, len(samples))
        if split == "train":
            chosen = self._shuffled(epoch)[begin:end]
            words = (self._order, epoch)
            inputs, target = samples.vary(chosen, *words) if isinstance(samples, Varied) else samples.take(chosen)
        else:
            chosen = torch.arange(begin, end, device=self._device)
            inputs, target = samples.take(slice(begin, end))
        first = torch.ones(end - begin, dtype=torch.bool, device=self._device)
        return Batch(inputs, target, first, index, epoch, chosen, split)

    def loss(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Loss:
        return self.targets.loss(model, batch)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        output = self.targets.output(model, batch)
        collected = None
        if self._collects:
            assert isinstance(self.targets, Collects)
            collected = self.targets.collected(output, batch)
        plain = output if isinstance(output, Tensor) else None
        return Metrics(per_sample(self.reported, model, batch, output), output=plain, collected=collected)

    def baseline(self) -> Baseline | None:
        """The constant prediction that fits the training targets; None without training data."""
        if not isinstance(self.targets, Trivial):
            return None
        constant = self.fitted.get("trivial")
        if constant is None:
            train = self._splits.get("train")
            if train is None or not len(train):
                return None
            constant = self.targets.constant(_targets(train))
        return Baseline(self.targets.baseline_name, Constant(constant, self.spec.target.positions))

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

    def to(self, device: torch.device) -> "ArrayTask":
        self._splits = {name: samples.to(device) for name, samples in self._splits.items()}
        self._device = device
        self._shuffled.cache_clear()
        return self


def _targets(samples: Samples) -> Iterator[Tensor]:
    """The targets of a split; of a split that is generated, those of its first rows."""
    if isinstance(samples, Stored):
        yield samples.target
        return
    end = min(len(samples), _MOST)
    for begin in range(0, end, _CHUNK):
        yield samples.take(slice(begin, min(begin + _CHUNK, end)))[1]
