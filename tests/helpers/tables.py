"""A task over tables in memory: what the tasks of the families have in common."""

import torch

from dlcli.core.rng import generator
from dlcli.core.task import Batch


class Table:
    """Rows in splits; training batches are shuffled in every epoch.

    Args:
        splits: inputs and target by split, row axis first.
        batch: rows of a batch.
    """

    fitted = {}  # noqa: RUF012

    def __init__(self, splits, *, batch):
        self._splits, self._batch = splits, batch

    def rows(self, split):
        return len(self._splits[split][1])

    def size(self, split):
        return -(-self.rows(split) // self._batch)

    def batch(self, split, index):
        *inputs, target = self._splits[split]
        epoch, place = divmod(index, self.size(split))
        order = torch.arange(len(target))
        if split == "train":
            order = torch.randperm(len(target), generator=generator(epoch))
        chosen = order[place * self._batch : (place + 1) * self._batch]
        first = torch.ones(len(chosen), dtype=torch.bool)
        return Batch(tuple(part[chosen] for part in inputs), target[chosen], first, index, epoch, chosen, split)

    def summary(self, means):
        return {}

    def to(self, device):
        self._splits = {name: tuple(part.to(device) for part in parts) for name, parts in self._splits.items()}
        return self
