"""Data that fit in memory: batches are gathered from tensors, on the device that holds them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.core.errors import UsageError
from dlcli.core.random import generator
from dlcli.core.spec import Spec
from dlcli.core.task import Batch, Carry, Fitted, Goal, Loss, Metrics, Score
from dlcli.tasks.yardstick import Yardstick

_SCORING = 4  # scoring keeps no activations for a backward pass, so its batches can be larger

Probe = Callable[[nn.Module, Batch, Tensor], dict[str, Score]]
"""Scores that take more of a model than its output on the batch, which comes last."""


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
        yardstick: loss, scores and the main metric.
        batch: rows of a training batch; scoring takes four times as many.
        order: seed of the shuffling, and of how a `Varied` split varies.
        fitted: what was learned from the training data.
        probe: scores beside the yardstick's.

    Raises:
        UsageError: `batch` is below 1, or an empty split is asked for.
    """

    def __init__(
        self,
        splits: Mapping[str, Samples],
        spec: Spec,
        yardstick: Yardstick,
        *,
        batch: int,
        order: int,
        fitted: Fitted | None = None,
        probe: Probe | None = None,
    ) -> None:
        if batch < 1:
            raise UsageError(f"task.batch is at least 1, not {batch}")
        self.spec = spec
        self.main: Goal = yardstick.goal
        self.fitted: Fitted = fitted or {}
        self.yardstick = yardstick
        self._probe = probe
        if (names := getattr(yardstick, "names", None)) is not None:
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
        value, weight = self.yardstick.loss(model(*batch.inputs), batch.target)
        return Loss(value, {}, weight)

    def metrics(self, model: nn.Module, batch: Batch, carry: Carry = None) -> Metrics:
        output = model(*batch.inputs)
        probed = {} if self._probe is None else self._probe(model, batch, output)
        return Metrics(self.yardstick.scores(output, batch.target) | probed, output=output)

    def summary(self, means: Mapping[str, float]) -> dict[str, float]:
        return self.yardstick.summary(means)

    def predictions(self, model: nn.Module, batch: Batch, carry: Carry = None) -> tuple[dict[str, list[Any]], Carry]:
        columns = {"sample": batch.index.tolist()}
        return columns | self.yardstick.columns(model(*batch.inputs), batch.target), None

    def to(self, device: torch.device) -> "ArrayTask":
        self._splits = {name: samples.to(device) for name, samples in self._splits.items()}
        self._device = device
        self._shuffled.cache_clear()
        return self
