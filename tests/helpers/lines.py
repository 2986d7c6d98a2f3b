"""Linear regression data, and learners on it."""

import io

import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Goal, Loss, Metrics, Score
from dlcli.learners.gradient.gradient import Gradient
from dlcli.learners.gradient.player import Player
from dlcli.learners.gradient.schedule import Constant

ROWS, WIDTH = 50, 4


class Lines:
    """y = x w + noise in batches of 8 rows, the last one of 2; fitted is empty."""

    spec = Spec((Real((WIDTH,)),), Real((1,)))
    main = Goal("mse", "min")

    def __init__(self, dtype=torch.float32):
        rng = torch.Generator().manual_seed(0)
        self.fitted = {}
        self.x = torch.randn(ROWS, WIDTH, generator=rng, dtype=torch.float64).to(dtype)
        noise = 0.1 * torch.randn(ROWS, 1, generator=rng, dtype=torch.float64).to(dtype)
        self.y = self.x.sum(1, keepdim=True) + noise

    def size(self, split):
        return 7

    def rows(self, split):
        return ROWS

    def batch(self, split, index):
        rows = torch.arange(ROWS)[index % 7 * 8 :][:8]
        return Batch((self.x[rows],), self.y[rows], torch.ones(len(rows)) > 0, index, index // 7, rows, split)

    def loss(self, model, batch, carry=None):
        return Loss(F.mse_loss(model(*batch.inputs), batch.target), {}, float(len(batch)))

    def metrics(self, model, batch, carry=None):
        error = (model(*batch.inputs) - batch.target).square()[:, 0]
        return Metrics({"mse": Score(error, torch.ones_like(error))})

    def summary(self, means):
        return {}

    def to(self, device):
        return self


class Supervised:
    """The task's loss; it records its pace."""

    def __init__(self, task):
        self.task, self.paces = task, []

    def pace(self, update, turn):
        self.paces.append((update, turn))

    def __call__(self, model, batch, carry=None):
        return self.task.loss(model, batch, carry)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.05)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def lbfgs(parameters):
    return torch.optim.LBFGS(parameters, max_iter=5, line_search_fn="strong_wolfe")


def player(**changes):
    usual = {
        "objective": Supervised, "optimizer": sgd, "schedule": Constant(), "parts": None, "split": "train",
        "repeats": 1, "accumulate": 1, "clip": None,
    }  # fmt: skip
    return Player(**(usual | changes))


def gradient(model, task, *, players=None, precision="float32", average=None, **changes):
    return Gradient(
        model,
        task,
        players=players or {"model": player(**changes)},
        seed=3,
        precision=precision,
        compile=False,
        average=average,
    )


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(WIDTH, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))


def through_file(state):
    """The state as it comes back from a checkpoint."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def weights(model):
    return torch.cat([value.detach().flatten().clone() for value in model.parameters()])


def values(row):
    return {name: float(value) for name, value in row.values.items()}
