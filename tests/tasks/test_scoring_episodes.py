"""A deterministic episode is the same in training, on valid and on test, to the bit."""

import math

import pytest
import torch

from dlcli.core.episode import EpisodeSummary, Transition
from dlcli.core.metric import Goal
from dlcli.core.population import ParameterLayout
from dlcli.core.spec import Real, Spec
from dlcli.models.policy.mlp import MLP
from dlcli.tasks.control.environment import Environment
from dlcli.tasks.control.maze.maze import HardMaze

SIZES = {"episodes": 1, "valid_episodes": 1, "test_episodes": 20}


@pytest.mark.parametrize(
    "lanes", [pytest.param(1, marks=pytest.mark.slow), 7, pytest.param(20, marks=pytest.mark.slow)]
)
def test_a_maze_is_scored_as_it_was_rated_however_many_are_side_by_side(lanes):
    task = HardMaze(**SIZES, lanes=lanes)
    model = MLP(task.spec, hidden=[16], activation="tanh")
    layout = ParameterLayout(model)
    vectors = torch.randn(12, layout.size, generator=torch.Generator().manual_seed(3)) * 0.35
    fitness = task.rate(model, layout.stack(vectors), [task.batch("train", 0)]).fitness.tolist()
    for vector, rated in zip(vectors, fitness, strict=True):
        layout.load(model, vector)
        for split, last in (("valid", 0), ("test", task.size("test") - 1)):
            found = task.metrics(model, task.batch(split, last)).values["return"].total.tolist()
            assert set(found) == {rated}


class Endless:
    """One step; the reward is the first output."""

    def __init__(self, rows):
        self.rows = rows

    def reset(self):
        return torch.zeros(self.rows, 1)

    def step(self, output):
        return Transition(torch.zeros(len(output), 1), output[:, 0].double(), torch.ones(len(output), dtype=torch.bool))

    def end(self, rows):
        return EpisodeSummary(torch.zeros(len(rows), 1), {})

    def keep(self, rows):
        self.rows = len(rows)


class Bandit(Environment):
    """Whatever is answered is the return."""

    def simulate(self, seeds):
        return Endless(len(seeds))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_return_that_is_not_finite_failed(value):
    task = Bandit(Spec((Real((1,)),), Real((1,))), Goal("return", "max"), **SIZES, lanes=4)
    model = MLP(task.spec, hidden=[2], activation="tanh")
    layout = ParameterLayout(model)
    vectors = torch.zeros(3, layout.size)
    (*_, output_bias) = layout.shapes
    layout.stack(vectors)[output_bias][1] = value
    fitness = task.rate(model, layout.stack(vectors), [task.batch("train", 0)]).fitness
    assert fitness.isnan().tolist() == [False, True, False]
    layout.load(model, vectors[1])
    assert bool(task.metrics(model, task.batch("valid", 0)).values["return"].total.isnan().all())
