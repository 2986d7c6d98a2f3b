"""What every final of evolution keeps: exact resume, honest counts, failures that never win."""

import io

import pytest
import torch
from helpers.errors import usage_error
from valley import FINALS, Broken, Pictured, Valley, Vector, learner

from dlcli.core.errors import Mismatch
from dlcli.core.learner import AppendTable, Image, Learner
from dlcli.core.population import PopulationBased, Rating


def saved(state):
    """Through a file, as the engine does."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def steps(made, count):
    return [{name: float(value) for name, value in made.step().values.items()} for _ in range(count)]


@pytest.mark.parametrize("name", FINALS)
def test_going_on_from_the_middle_equals_never_stopping(name):
    whole, first, second = (learner(name, Pictured()) for _ in range(3))
    assert isinstance(whole, Learner)
    assert isinstance(whole, PopulationBased)
    rows = steps(whole, 7)
    assert steps(first, 3) == rows[:3]
    torch.rand(3)
    second.load_state_dict(saved(first.state_dict()))
    assert torch.equal(second.model.weight, first.model.weight)
    assert steps(second, 4) == rows[3:]
    assert torch.equal(second.model.weight, whole.model.weight)
    assert second.leave()["population"] == whole.leave()["population"]
    assert_same(second.state_dict(), whole.state_dict())


def assert_same(one, other):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert set(one) == set(other)
        for name in one:
            assert_same(one[name], other[name])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for mine, its in zip(one, other, strict=True):
            assert_same(mine, its)
    else:
        assert one == other


@pytest.mark.parametrize("name", FINALS)
def test_every_rating_counts_and_the_best_is_the_model(name):
    task = Valley()
    made = learner(name, task, candidates=2, elite_batches=3)
    assert made.model is None
    best = -torch.inf
    for generation in range(4):
        task.asked.clear()
        row = made.step()
        voters = 2 if generation == 0 else 3
        own = made.population + (name in ("evolution_strategy", "ns_es", "nsr_es"))
        assert row.counts["evaluations"] in (own + 3 * voters, own + 3 * (voters + 1))
        assert row.counts["failed"] == 0
        assert row.counts["env_steps"] == 3 * row.counts["evaluations"]
        assert task.asked[0] == generation
        assert all(index >= 2**32 for index in task.asked[1:])
        assert len(task.asked) == 4
        best = max(best, float(row.values["fitness_max"]))
        assert float(row.values["fitness_best"]) == pytest.approx(best)
        assert -float(task.function(made.model.weight.detach()[0].double())) == pytest.approx(best)
    assert made.counters == ("evaluations", "env_steps", "failed")


@pytest.mark.parametrize("name", FINALS)
def test_those_that_failed_never_win(name):
    made = learner(name, Broken())
    failed = 0.0
    for _ in range(6):
        row = made.step()
        failed += float(row.values.get("failed", 0))
        assert row.values["fitness_max"].isfinite()
        assert row.values["fitness_mean"].isfinite()
        assert made.model.weight[0, 0] <= 0
        assert all(value.isfinite() for value in row.values.values())
    assert failed > 0


@pytest.mark.parametrize("name", FINALS)
def test_a_generation_of_failures_is_survived(name):
    class Hopeless(Valley):
        def fitness(self, x, index):
            return torch.full((len(x),), torch.inf if index == 1 else torch.nan)

    made = learner(name, Hopeless())
    for _ in range(3):
        row = made.step()
    assert made.model is None
    assert float(row.values["failed"]) == row.counts["evaluations"]


def test_another_population_is_refused_in_one_sentence():
    made = learner("genetic", Valley(), population=20)
    made.step()
    with usage_error("mismatch", kind=Mismatch, subject="the checkpoint", got=24):
        learner("genetic", Valley(), population=24).load_state_dict(made.state_dict())
    with usage_error("mismatch", kind=Mismatch, subject="the checkpoint", got=5):
        learner("genetic", Valley(), model=Vector(5), population=20).load_state_dict(made.state_dict())
    with usage_error("mismatch", kind=Mismatch, subject="the checkpoint", got="RandomSearch"):
        learner("random_search", Valley(), population=20).load_state_dict(made.state_dict())


def test_what_is_left_grows_and_shows_where_they_ended():
    made = learner("genetic", Pictured(), population=20)
    steps(made, 2)
    left = made.leave()
    table = left["population"]
    assert isinstance(table, AppendTable)
    assert table.columns == ["generation", "individual", "genome", "parent", "fitness", "b0", "b1"]
    assert [row[:2] for row in table.rows] == [[g, n] for g in range(2) for n in range(20)]
    assert isinstance(left["final_positions"], Image)
    assert left["final_positions"].pixels.tolist() == [[40.0, 1.0]]
    assert "population" not in made.leave()
    steps(made, 1)
    assert [row[0] for row in made.leave()["population"].rows] == [2] * 20
    assert "final_positions" not in learner("genetic", Valley()).leave()


def test_another_rater_may_be_put_in():
    class Elsewhere:
        def rate(self, genomes, centres, batches):
            fitness = torch.arange(len(genomes), dtype=torch.float64)
            return Rating(fitness, torch.zeros(len(genomes), 1), torch.ones(len(genomes), dtype=torch.int64))

    made = learner("random_search", Valley(), elite_batches=0)
    made.rater = Elsewhere()
    row = made.step()
    assert float(row.values["fitness_best"]) == made.population - 1
    assert row.counts == {"evaluations": made.population, "env_steps": made.population, "failed": 0}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("genetic", {"population": 10, "parents": 10}),
        ("genetic", {"parents": 0}),
        ("genetic", {"sigma": 0.0}),
        ("random_search", {"population": 0}),
        ("random_search", {"chunk": 0}),
        ("random_search", {"candidates": 0}),
        ("random_search", {"elite_batches": -1}),
        ("evolution_strategy", {"population": 11}),
        ("evolution_strategy", {"sigma": -1.0}),
        ("evolution_strategy", {"meta_population": 0}),
        ("snes", {"sigma": 0.0}),
        ("snes", {"learning_rate": 0.0}),
        ("snes", {"population": 3}),
        ("cma", {"sigma": 0.0}),
        ("cma", {"population": 3}),
    ],
)
def test_numbers_out_of_range_are_refused(name, wrong):
    with usage_error("invalid_value") as told:
        learner(name, Valley(), **wrong)
    assert "\n" not in str(told.value)
