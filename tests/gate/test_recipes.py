"""Per recipe: it composes at its full and its smoke size, and one step is finite."""

import numpy as np
import pytest
from helpers.gate import step_row
from helpers.recipes import (
    ENGINE_COMMANDS,
    MODELS,
    PAIRS,
    RECIPES,
    TASKS,
    build_recipe,
    expand,
    read_yaml,
    skip_if_not_fetched,
    smoke_config,
)
from hydra.utils import get_class

from dlcli.config import catalogue
from dlcli.core.errors import Missing
from dlcli.engine.fit import limits
from dlcli.learners.evolution.evolution import Evolution

STEPPED = [recipe for recipe in RECIPES if recipe.command in ENGINE_COMMANDS]
GROUPS = {"model": MODELS, "task": TASKS}
_MOST_STEPS = 5


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_recipe_has_a_description_and_a_smoke_size(recipe):
    assert len(catalogue.describe(recipe.path)) > 10
    smoke = read_yaml(recipe.path).get("smoke") or expand(recipe, smoke=False).config.smoke
    assert smoke
    if recipe.command == "train":
        assert any(override.startswith("steps=") for override in smoke)
        assert smoke_config(recipe)["until"]["steps"] <= _MOST_STEPS


@pytest.mark.parametrize("recipe", STEPPED, ids=str)
def test_recipe_composes_and_one_step_is_finite(recipe):
    try:
        built = build_recipe(recipe)
    except Missing as error:
        skip_if_not_fetched(error)
    until = expand(recipe, smoke=False).resolved()["until"]
    assert limits(until, built.learner, built.task) or hasattr(built.learner, "finished")
    if recipe in {recipes[0] for recipes in PAIRS.values()}:
        return  # its steps are those of the pair
    values, counts = step_row(built.learner)
    assert all(np.isfinite(value) for name, value in values.items() if name != "fitness_best")
    assert counts.keys() <= {*built.learner.counters}


@pytest.mark.parametrize("group", GROUPS)
def test_recipes_name_every_member_of(group):
    assert GROUPS[group].keys() == catalogue.members(group).keys()


def test_recipes_use_every_population_learner():
    targets = {name: target(name) for name in catalogue.members("learner")}
    evolving = {path for path in targets.values() if issubclass(get_class(path), Evolution)}
    assert evolving <= {targets[recipe.choices["learner"]] for recipe in STEPPED}


def target(learner):
    """The class path of a learner; of a YAML without one, that of the first in its defaults."""
    node = read_yaml(catalogue.packaged_folder() / "learner" / f"{learner}.yaml")
    return node["_target_"] if "_target_" in node else target(node["defaults"][0])


@pytest.mark.parametrize("model", sorted({recipe.choices["model"] for recipe in RECIPES if recipe.command == "train"}))
def test_trained_model_has_a_home_recipe_that_needs_no_download(model, monkeypatch, tmp_path):
    home = MODELS[model][0]
    assert (home.command, home.name) == ("train", model)
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    built = build_recipe(home)
    assert built.parameters >= 0
