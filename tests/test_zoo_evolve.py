"""The gate of evolution: every recipe of `dlcli evolve`, in its smoke size, goes through the same checks."""

import functools

import numpy as np
import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from test_zoo import CPU, keywords, listed, same

from dlcli import build, catalogue, compose
from dlcli.core.errors import Missing
from dlcli.engine import evaluate, limits
from dlcli.learners.evolution import Evolution

RECIPES = sorted(catalogue.members("experiment/evolve"))
STEPS = 2


@functools.cache
def composed(recipe):
    (point,) = compose.expand("evolve", [recipe, "threads=1"], smoke=True)
    return point


def make(recipe, seed=0):
    try:
        return build.build(composed(recipe).resolved(seed), CPU)
    except Missing as missing:
        pytest.skip(str(missing).splitlines()[0])


def row(learner):
    stepped = learner.step()
    return {name: value.item() for name, value in stepped.values.items()}, dict(stepped.counts)


@pytest.fixture(scope="module", params=RECIPES)
def played(request, tmp_path_factory):
    """A recipe, what two steps of it report, and its state after the first and the last."""
    built = make(request.param)
    path = tmp_path_factory.mktemp("state") / "early.pt"
    rows = [row(built.learner)]
    torch.save(built.learner.state_dict(), path)
    rows += [row(built.learner) for _ in range(STEPS - 1)]
    return request.param, built, rows, path, built.learner.state_dict()


def test_rows_are_finite_and_counted(played):
    _, built, rows, _, _ = played
    for values, counts in rows:
        assert all(np.isfinite(value) for name, value in values.items() if name != "fitness_best")
        assert {*counts} <= {*built.learner.counters}
        assert counts["env_steps"] > 0


def test_the_same_seed_gives_the_same_rows_and_scoring_changes_nothing(played):
    recipe, _, rows, _, late = played
    again = make(recipe)
    found = []
    for _ in range(STEPS):
        if again.learner.model is not None:
            scores = [evaluate(again.learner.model, again.task, "valid") for _ in range(2)]
            assert scores[0] == scores[1]
            assert again.task.main.metric in scores[0]
        found.append(row(again.learner))
    assert found == rows
    assert same(again.learner.state_dict(), late)


def test_another_seed_gives_another_population(played):
    recipe, _, _, _, late = played
    other = make(recipe, seed=1).learner
    row(other)
    assert not same(other.state_dict(), late)


def test_stopping_and_going_on_from_the_file_equals_never_stopping(played):
    recipe, built, rows, early, late = played
    if not getattr(built.learner, "resumable", True):
        pytest.skip("its library keeps state of its own; --resume refuses it")
    again = make(recipe).learner
    again.load_state_dict(torch.load(early, weights_only=True))
    assert [row(again) for _ in range(STEPS - 1)] == rows[1:]
    assert same(again.state_dict(), late)


def test_its_limits_are_what_it_counts(played):
    recipe, built, _, _, _ = played
    (point,) = compose.expand("evolve", [recipe])
    assert limits(point.resolved()["until"], built.learner, built.task)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_says_what_it_is_and_has_a_smoke_size(recipe):
    path = catalogue.members("experiment/evolve")[recipe]
    assert len(catalogue.describe(path)) > 10
    assert OmegaConf.load(path).smoke


def test_every_class_that_breeds_populations_is_in_some_recipe():
    used = {get_class(composed(recipe).resolved()["learner"]["_target_"]) for recipe in RECIPES}
    for name in catalogue.members("learner"):
        node = OmegaConf.load(catalogue.members("learner")[name])
        if "_target_" in node and issubclass(get_class(node._target_), Evolution):
            assert get_class(node._target_) in used


@pytest.mark.parametrize("name", catalogue.members("learner"))
def test_the_yaml_lists_exactly_the_constructors_keywords(name):
    (point,) = compose.expand("evolve", [f"learner={name}", "model=mlp"])
    for node in nodes(OmegaConf.to_container(point.config.learner)):
        if node["_target_"].startswith("dlcli."):
            assert listed(node) == keywords(get_class(node["_target_"]))


def nodes(tree):
    """Every part of a configuration that names a class."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield tree
        for part in tree.values():
            yield from nodes(part)
