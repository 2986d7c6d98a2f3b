"""The YAML of every strategy lists exactly the keywords of its constructor, and every recipe can begin."""

import inspect

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from dlcli.commands.search.trials import UnstartedTrials
from dlcli.config import build, catalogue, compose
from dlcli.core.space import Searchable
from dlcli.learners.strategies.strategy import Strategy

OWN = ("tpe", "random", "evolution", "nas_reinforce", "halving")


@pytest.mark.parametrize("name", catalogue.members("strategy"))
def test_yaml_and_constructor_name_the_same_keywords(name):
    (point,) = compose.expand("search", [f"strategy={name}"])
    node = OmegaConf.to_container(point.config.strategy)
    target = node.pop("_target_")
    keywords = [
        key for key, one in inspect.signature(get_class(target)).parameters.items() if one.kind is one.KEYWORD_ONLY
    ]
    assert set(node) == set(keywords)


@pytest.mark.parametrize("name", OWN)
def test_every_recipe_begins_in_its_smoke_size(name):
    (point,) = compose.expand("search", [name, "device=cpu"], smoke=True)
    config = point.resolved()
    built = build.build(config, torch.device("cpu"))
    space = built.model.space if isinstance(built.model, Searchable) else None
    strategy = build.build_strategy(config, UnstartedTrials(built.task.main, space))
    assert isinstance(strategy, Strategy)
    assert 1 <= len(strategy.ask()) <= strategy.batch
