"""Fitness of a supervised task: the negative loss."""

import logging

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import Mismatch
from dlcli.core.fitness import NegativeLossFitness, as_fitness_task
from dlcli.core.metric import Goal
from dlcli.core.population import FitnessTask, ParameterLayout
from dlcli.core.rng import normal_vector
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Loss, Metrics


class Sums:
    """Predict the sum of (channel, time) values; batch `index` has index + 2 rows."""

    spec = Spec((Real((2, 5)),), Real((1,)))
    main = Goal("mse", "min")
    fitted = {}  # noqa: RUF012

    def size(self, split):
        return 3

    def rows(self, split):
        return sum(len(self.batch(split, index)) for index in range(self.size(split)))

    def batch(self, split, index):
        count = 100 if split == "valid" else index + 2
        x = torch.randn(count, 2, 5, generator=torch.Generator().manual_seed(index))
        return Batch((x,), x.sum((1, 2))[:, None], torch.ones(count, dtype=torch.bool), index, 0, torch.arange(count))

    def loss(self, model, batch, carry=None):
        return Loss(F.mse_loss(model(*batch.inputs), batch.target), {}, float(len(batch)))

    def metrics(self, model, batch, carry=None):
        return Metrics({})

    def summary(self, means):
        return {}

    def to(self, device):
        return self


class Remembers(nn.Module):
    """Fused GRU, which vmap does not support."""

    def __init__(self):
        super().__init__()
        self.cells, self.head = nn.GRU(2, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.cells(x.transpose(1, 2))[0][:, -1])


class Drops(nn.Module):
    def __init__(self, wide=1):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(10, wide), nn.Dropout(0.5))

    def forward(self, x):
        return self.body(x)


def population(model, count=5):
    layout = ParameterLayout(model)
    vectors = torch.stack([normal_vector(seed, layout.size) for seed in range(count)])
    return layout, vectors


def by_hand(model, task, batches):
    """Loss over all rows, in evaluation mode."""
    model.eval()
    with torch.no_grad():
        parts = [task.loss(model, batch) for batch in batches]
    return sum(float(part.value) * part.weight for part in parts) / sum(part.weight for part in parts)


@pytest.mark.parametrize("make", [Drops, Remembers])
def test_fitness_is_the_negative_weighted_mean_loss(make):
    torch.manual_seed(0)
    task, model = Sums(), make()
    layout, vectors = population(model)
    batches = [task.batch("train", index) for index in (0, 2)]
    rating = as_fitness_task(task).rate(model.train(), layout.stack(vectors), batches)
    assert model.training
    assert all(module.training for module in model.modules())
    assert rating.cost.tolist() == [6] * 5
    for vector, fitness in zip(vectors, rating.fitness, strict=True):
        layout.load(model, vector)
        assert -float(fitness) == pytest.approx(by_hand(model, task, batches), rel=1e-5)


def test_rate_evaluates_models_without_vmap_support_one_by_one_and_logs_once(caplog):
    model, task = Remembers(), as_fitness_task(Sums())
    layout, vectors = population(model)
    with caplog.at_level(logging.INFO, logger="dlcli"):
        for _ in range(2):
            task.rate(model, layout.stack(vectors), [Sums().batch("train", 0)])
    assert len(caplog.records) == 1
    assert "vmap does not support Remembers" in caplog.text


def test_behavior_is_the_output_on_the_first_validation_rows():
    model, task = Drops(), Sums()
    layout, vectors = population(model)
    rating = as_fitness_task(task).rate(model, layout.stack(vectors), [task.batch("train", 0)])
    layout.load(model.eval(), vectors[3])
    with torch.no_grad():
        expected = model(task.batch("valid", 0).inputs[0][:64])[:, 0]
    torch.testing.assert_close(rating.behaviour[3], expected)


def test_behavior_of_wide_outputs_is_a_distance_preserving_projection():
    class Any(Sums):
        def loss(self, model, batch, carry=None):
            return Loss(model(*batch.inputs).square().mean(), {}, float(len(batch)))

    torch.manual_seed(0)
    model = Drops(3000)
    layout, vectors = population(model)
    rating = as_fitness_task(Any()).rate(model, layout.stack(vectors), [Sums().batch("train", 0)])
    assert rating.behaviour.shape == (5, 64)
    outputs = []
    for vector in vectors:
        layout.load(model.eval(), vector)
        with torch.no_grad():
            outputs.append(model(Sums().batch("valid", 0).inputs[0][:1])[0])
    before, after = torch.pdist(torch.stack(outputs)), torch.pdist(rating.behaviour)
    assert ((after / before - 1).abs() < 0.4).all()


def test_fitness_of_nan_loss_is_nan():
    model, task = Drops(), Sums()
    layout, vectors = population(model)
    vectors[1] = torch.nan
    fitness = as_fitness_task(task).rate(model, layout.stack(vectors), [task.batch("train", 0)]).fitness
    assert fitness.isnan().tolist() == [False, True, False, False, False]


def test_rated_returns_fitness_task_and_rejects_tasks_without_loss():
    assert isinstance(NegativeLossFitness(Sums()), FitnessTask)
    assert as_fitness_task(Sums()).counter == "samples"
    with pytest.raises(Mismatch) as error:
        as_fitness_task(Nothing())
    assert error.value.fields["requirement"] == "a task that rates populations or has a loss"


class Nothing:
    """Task without a loss and without ratings."""

    spec, main, fitted = Sums.spec, Sums.main, Sums.fitted
    size, rows, batch = Sums.size, Sums.rows, Sums.batch
    metrics, summary, to = Sums.metrics, Sums.summary, Sums.to
