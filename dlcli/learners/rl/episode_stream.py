"""What goes into the lanes and what comes out: seeds of episodes, and how they ended."""

from collections.abc import Mapping

import torch
from torch import Tensor

from dlcli.core.task import Task


class Seeds:
    """The seeds of a task's training episodes, one after another.

    Args:
        task: whose training batches are seeds.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._batch = 0
        self._left = torch.empty(0, dtype=torch.int64)

    def take(self, count: int) -> Tensor:
        """The next ones, int64 [count]."""
        while len(self._left) < count:
            self._left = torch.cat((self._left, self._task.batch("train", self._batch).index))
            self._batch += 1
        taken, self._left = self._left[:count], self._left[count:]
        return taken


class Notes:
    """Collects values by name, until their means are asked for."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Tensor]] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """[any] values of each name."""
        for name, value in values.items():
            self._kept.setdefault(name, []).append(value.detach().double().flatten())

    def drain(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """The mean of each name and how many it is of; then nothing is kept."""
        joined = {name: torch.cat(parts) for name, parts in self._kept.items()}
        self._kept = {}
        return {name: values.mean() for name, values in joined.items()}, {k: len(v) for k, v in joined.items()}
