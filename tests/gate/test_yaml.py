"""Per YAML: it lists exactly the constructor's keywords; a model with `scales` meets its parameter budget."""

import inspect

import pytest
from helpers.recipes import CPU, MODELS, build_task, cached_tasks, expand, read_yaml
from hydra.utils import get_class
from omegaconf import OmegaConf

from dlcli.config import build, catalogue, compose
from dlcli.config.budget import solve_budget
from dlcli.config.schema import METADATA

BY_POSITION = {"spec", "task", "model", "scenes", "trials", "space", "height", "width"}
"""Arguments that the factory passes by position."""
NOT_KEYWORDS = ("_target_", "_partial_", "defaults", *METADATA)
BUDGETS = (20_000, 300_000)
NEAR = 0.02


def _yamls():
    """Every YAML of a group that names a class of dlcli, as (group, name)."""
    for folder in sorted(path for path in catalogue.packaged_folder().iterdir() if path.is_dir()):
        for path in sorted(folder.glob("[!_]*.yaml")):
            if str(read_yaml(path).get("_target_", "")).startswith("dlcli."):
                yield folder.name, path.stem


def keywords(cls):
    """The keyword-only parameters of a constructor."""
    parameters = inspect.signature(cls).parameters.values()
    assert {one.name for one in parameters if one.kind is not one.KEYWORD_ONLY} <= BY_POSITION
    return {one.name for one in parameters if one.kind is one.KEYWORD_ONLY}


def listed(node):
    """The keys of a node and the parts that its defaults list puts there."""
    parts = {str(key).rpartition("@")[2] for entry in node.get("defaults", ()) if entry != "_self_" for key in entry}
    return {part.partition(".")[0] for part in parts} | {key for key in node if key not in NOT_KEYWORDS}


@pytest.mark.parametrize(("group", "name"), _yamls())
def test_yaml_lists_exactly_the_keywords_of(group, name):
    path = catalogue.members(group)[name]
    node = read_yaml(path)
    assert listed(node) == keywords(get_class(node["_target_"]))
    assert len(catalogue.describe(path)) > 10
    scales = node.get("scales", ())
    assert {scales} if isinstance(scales, str) else {*scales} <= node.keys()


@pytest.mark.parametrize("name", catalogue.members("learner"))
def test_composed_learner_lists_exactly_the_keywords_of(name):
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


SCALED = [
    name
    for name, recipes in MODELS.items()
    if recipes[0].command == "train" and read_yaml(catalogue.members("model")[name]).get("scales")
]
"""Trained models; the sizes of policies and shared networks are too coarse for any budget to be met."""


@pytest.mark.parametrize("model", SCALED)
def test_budget_is_met_to_two_percent_by(model):
    config = expand(MODELS[model][0], ["budget=1"], smoke=False).resolved()
    task = build_task(config)
    with cached_tasks():
        for budget in BUDGETS:
            settled = solve_budget({**config, "budget": budget})
            assert abs(build.count_parameters(build.build_model(settled, task, CPU)) - budget) <= NEAR * budget
            assert "scales" not in settled["model"]
