"""Rating in chunks: no bit depends on how many are rated together."""

from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.metric import Goal
from dlcli.core.population import Genome, ParameterLayout, PolicyPopulation
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Batch, Loss, Metrics, Score
from dlcli.learners.evolution.decoder import Decoder, initial
from dlcli.learners.evolution.local_evaluator import LocalEvaluator


class Marks:
    """Random pictures (1, 8, 8) in three classes; the main thing is that there is a loss."""

    spec = Spec((Real((1, 8, 8)),), Classes(3))
    main = Goal("error", "min")
    fitted: ClassVar = {}

    def __init__(self, rows):
        self.rows = rows

    def size(self, split):
        return 4

    def rows(self, split):
        return sum(len(self.batch(split, index)) for index in range(self.size(split)))

    def batch(self, split, index):
        draw = torch.Generator().manual_seed(index + 100 * (split == "valid"))
        x = torch.randn(self.rows, 1, 8, 8, generator=draw)
        target = torch.randint(3, (self.rows,), generator=draw)
        return Batch((x,), target, torch.ones(self.rows, dtype=torch.bool), index, 0, torch.arange(self.rows))

    def loss(self, model, batch, carry=None):
        return Loss(F.cross_entropy(model(*batch.inputs), batch.target), {}, float(len(batch)))

    def metrics(self, model, batch, carry=None):
        wrong = (model(*batch.inputs).argmax(1) != batch.target).float()
        return Metrics({"error": Score(wrong, torch.ones_like(wrong))})

    def summary(self, means):
        return {}

    def to(self, device):
        return self


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 3))


def convolutional():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3))


def rate(model, task, chunk, genomes):
    layout = ParameterLayout(model)
    rater = LocalEvaluator(model, task, Decoder(layout, *initial(model, layout, 1.0)), layout, chunk)
    return rater.rate(genomes, {}, [0, 1])


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("make", [mlp, convolutional])
def test_results_do_not_depend_on_the_chunk(make, rows):
    torch.manual_seed(0)
    model, genomes = make(), [Genome((seed, seed + 1), (0.1,)) for seed in range(65)]
    whole = rate(model, Marks(rows), 1000, genomes)
    assert whole.fitness.unique().numel() == 65
    for chunk in (1, 7, 64):
        part = rate(model, Marks(rows), chunk, genomes)
        assert torch.equal(part.fitness, whole.fitness)
        assert torch.equal(part.behaviour, whole.behaviour)
        assert torch.equal(part.cost, torch.full((65,), 2 * rows))


@pytest.mark.parametrize("make", [mlp, convolutional])
def test_the_last_of_a_population_answers_as_it_did_among_others(make):
    model = make()
    layout = ParameterLayout(model)
    parameters = layout.stack(torch.randn(30, layout.size, generator=torch.Generator().manual_seed(0)))
    x = torch.randn(30, 1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        policies = PolicyPopulation(model, parameters, 1)
        whole = policies(x)
        policies.keep(torch.tensor([17]))
        assert torch.equal(policies(x[17:18]), whole[17:18])
        alone = PolicyPopulation(model, {name: value[17:18] for name, value in parameters.items()}, 1)
        assert torch.equal(alone(x[17:18]), whole[17:18])


def test_the_rating_is_the_loss_of_the_decoded_model():
    model, task, genome = mlp(), Marks(20), Genome((3, 4), (0.2,))
    layout = ParameterLayout(model)
    found = rate(model, task, 10, [genome])
    layout.load(model, Decoder(layout, *initial(model, layout, 1.0)).decode(genome, {}))
    with torch.no_grad():
        losses = [float(task.loss(model, task.batch("train", index)).value) for index in (0, 1)]
    assert -float(found.fitness) == pytest.approx(sum(losses) / 2, rel=1e-6)
