"""A pointer network's task: the target is a position of the input (Vinyals et al. 2015, arXiv:1506.03134)."""

import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.rng import generator
from dlcli.core.spec import Places, Real, Spec
from dlcli.core.task import Goal, Loss, Metrics, Score
from helpers.tables import Table

_ROWS = {"train": 512, "valid": 128, "test": 128}


class Largest(Table):
    """Point to the largest number of a list.

    Args:
        batch: rows of a batch.
        length: numbers in a list; models may be evaluated on any other length.
    """

    spec = Spec((Real((1, None)),), Places(None))
    main = Goal("accuracy", "max")

    def __init__(self, *, batch, length):
        lists = {name: torch.randn(rows, 1, length, generator=generator(rows, length)) for name, rows in _ROWS.items()}
        super().__init__({name: (x, x[:, 0].argmax(1)) for name, x in lists.items()}, batch=batch)

    def loss(self, model, batch, carry=None):
        return Loss(F.cross_entropy(model(*batch.inputs), batch.target), {}, float(len(batch)))

    def metrics(self, model, batch, carry=None):
        right = (model(*batch.inputs).argmax(1) == batch.target).float()
        return Metrics({"accuracy": Score(right, torch.ones_like(right))})


class Pointer(nn.Module):
    """One logit per position: a perceptron of the number at that position.

    Args:
        spec: one Real input (channel, time); target Places.
        hidden: width of the hidden layer.
    """

    def __init__(self, spec, *, hidden):
        super().__init__()
        width = spec.inputs[spec.target.source].width
        self.scores = nn.Sequential(nn.Conv1d(width, hidden, 1), nn.ReLU(), nn.Conv1d(hidden, 1, 1))

    def forward(self, x):
        return self.scores(x)[:, 0]
