"""Streams of episode seeds and accumulation of episode results."""

from collections.abc import Mapping

import torch
from torch import Tensor

from dlcli.core.task import Task


class SeedStream:
    """Seeds of the training episodes of a task, in order.

    Args:
        task: task whose training batches consist of seeds.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._batch = 0
        self._remaining = torch.empty(0, dtype=torch.int64)

    def take(self, count: int) -> Tensor:
        """The next seeds, int64 [count]."""
        while len(self._remaining) < count:
            self._remaining = torch.cat((self._remaining, self._task.batch("train", self._batch).index))
            self._batch += 1
        taken, self._remaining = self._remaining[:count], self._remaining[count:]
        return taken


class MeanAccumulator:
    """Accumulator of means by name."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add values of any shape by name."""
        for name, value in values.items():
            self._values.setdefault(name, []).append(value.detach().double().flatten())

    def drain(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Return the mean and the number of values of each name, and reset."""
        joined = {name: torch.cat(parts) for name, parts in self._values.items()}
        self._values = {}
        return {name: values.mean() for name, values in joined.items()}, {k: len(v) for k, v in joined.items()}
