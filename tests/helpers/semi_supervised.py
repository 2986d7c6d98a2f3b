"""Semi-supervised classification by entropy minimization (Grandvalet & Bengio 2004, NeurIPS 17)."""

import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.rng import generator
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Goal, Loss, Metrics, Score
from helpers.tables import Table

UNLABELED = -100
_ROWS = {"train": 512, "valid": 128, "test": 512}
_WIDTH = 10
_DISTANCE = 4.0  # between the centers, in standard deviations


class Clusters(Table):
    """Two Gaussian clusters in ten dimensions, of whose training rows only a few have a label.

    Args:
        batch: rows of a batch; most batches have no label at all.
        labels: labeled training rows per class.
    """

    spec = Spec((Real((_WIDTH,)),), Classes(2))
    main = Goal("accuracy", "max")

    def __init__(self, *, batch, labels):
        splits = {name: _clusters(rows, number) for number, (name, rows) in enumerate(_ROWS.items())}
        x, target = splits["train"]
        labeled = torch.arange(len(x)) < 2 * labels  # classes alternate
        splits["train"] = x, target.masked_fill(~labeled, UNLABELED)
        super().__init__(splits, batch=batch)

    def loss(self, model, batch, carry=None):
        labeled = batch.target != UNLABELED
        value = F.cross_entropy(model(*batch.inputs), batch.target, ignore_index=UNLABELED, reduction="sum")
        return Loss(value / labeled.sum().clamp(min=1), {}, labeled.sum())

    def metrics(self, model, batch, carry=None):
        right = (model(*batch.inputs).argmax(1) == batch.target).float()
        return Metrics({"accuracy": Score(right, torch.ones_like(right))})


def _clusters(rows, seed):
    rng = generator(0x57A1, seed)
    target = torch.arange(rows) % 2
    x = torch.randn(rows, _WIDTH, generator=rng)
    x[:, 0] += _DISTANCE * (target - 0.5)
    return x, target


class EntropyMinimization(nn.Module):
    """The task's loss of the labeled rows plus the entropy of the predictions for all rows.

    Args:
        weight: of the entropy in nats, reached after a linear warm-up.
        warmup: number of updates of the warm-up.
    """

    def __init__(self, task, *, weight, warmup):
        super().__init__()
        self.task, self.weight, self.warmup = task, weight, warmup
        self.register_buffer("updates", torch.zeros(()))

    def forward(self, model, batch, carry=None):
        scale = self.weight * (self.updates / self.warmup).clamp(max=1)
        self.updates += 1
        supervised = self.task.loss(model, batch, carry)
        logits = model(*batch.inputs)
        entropy = -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()
        terms = {"supervised": supervised.value.detach(), "entropy": entropy.detach()}
        return Loss(supervised.value + scale * entropy, terms, float(len(batch)))
