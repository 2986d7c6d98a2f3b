"""Density of points on a ring: the data of the generative families."""

import itertools

import torch
from torch import nn

from dlcli.core.rng import generator
from dlcli.core.sampling import Sampler
from dlcli.core.spec import Nothing, Real, Spec
from dlcli.core.task import Goal, Metrics, Score
from helpers.tables import Table

_ROWS = {"train": 2048, "valid": 256, "test": 256}
_NOISE = 0.05


class Ring(Table):
    """Points at distance 1 from the origin, with Gaussian noise of standard deviation 0.05; no target, no loss.

    `radius_error` is the mean distance of generated points from the ring, one point per row of the batch.

    Args:
        batch: rows of a batch.
    """

    spec = Spec((Real((2,)),), Nothing())
    main = Goal("radius_error", "min")
    needs = Sampler

    def __init__(self, *, batch):
        splits = {name: (_points(rows, name), torch.zeros(rows, 0)) for name, rows in _ROWS.items()}
        super().__init__(splits, batch=batch)

    def metrics(self, model, batch, carry=None):
        points = model.sample(len(batch), generator(batch.step))
        error = (points.norm(dim=1) - 1).abs()
        return Metrics({"radius_error": Score(error, torch.ones_like(error))})


def _points(rows, split):
    rng = generator(0x7129, len(split))
    angle = 2 * torch.pi * torch.rand(rows, generator=rng)
    return torch.stack((angle.cos(), angle.sin()), 1) + _NOISE * torch.randn(rows, 2, generator=rng)


def perceptron(*widths):
    """Linear layers of these widths with ReLU between them."""
    layers = [nn.Linear(before, after) for before, after in itertools.pairwise(widths)]
    return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]
