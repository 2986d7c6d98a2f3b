"""The gate of sketches: every recipe of `dlcli sketch`, in its smoke size, and every network that it may read."""

import functools

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from test_zoo import CPU, chosen, keywords, listed

from dlcli import catalogue, compose
from dlcli.core.modes import evaluating
from dlcli.sketching.networks.seen import Decodes, Modular
from dlcli.sketching.objects import OUTPUT
from dlcli.verbs import sketch
from dlcli.verbs.sketcher import KINDS

RECIPES = sorted(catalogue.members("experiment/sketch"))
NETWORKS = sorted(catalogue.members("network"))
READING = [name for name in RECIPES if name != "bench"]


@functools.cache
def composed(recipe, seed=0):
    (point,) = compose.expand("sketch", [recipe, "device=cpu", "threads=1"], smoke=True)
    return point.resolved(seed)


@pytest.fixture(scope="module", params=READING)
def read(request):
    """A recipe, its network untrained, the first scenes, and what it sees in them."""
    config = composed(request.param)
    sketch.check(config)
    built, network, window = sketch.tried(config, CPU, None)
    batch = window.batch(config["split"], 0)
    with evaluating(built.model):
        return config, network, batch, network.objects(batch.inputs[0])


def test_what_is_seen_is_a_graph_of_unit_attributes_and_shared_weights(read):
    _, network, batch, seen = read
    structure, attributes = seen.objects.structure, seen.objects.attributes
    assert isinstance(network, Modular)
    assert structure.scenes == len(batch) == len(seen.output) == len(seen.total)
    assert attributes.shape == (len(structure.module), network.width)
    assert (attributes >= 0).all()
    length = torch.linalg.vector_norm(attributes, dim=1)
    assert ((length - 1).abs() < 1e-4).logical_or(length == 0).all()
    reader = torch.where(structure.parent == OUTPUT, -1 - structure.scene[structure.child], structure.parent)
    _, place = reader.unique(return_inverse=True)
    wholes = torch.zeros(int(place.max()) + 1).index_add_(0, place, structure.weight)
    torch.testing.assert_close(wholes, torch.ones_like(wholes), rtol=0, atol=1e-4)


def test_scenes_are_sketched_alike_side_by_side_and_alone(read):
    config, network, batch, seen = read
    make, matrices = KINDS[config["kind"]], sketch.matrices_of(config, CPU)
    whole = make(seen.objects, matrices, config["scale"])
    assert whole.shape == (len(batch), matrices.dimension)
    assert whole.isfinite().all()
    with torch.inference_mode():
        alone = make(network.objects(batch.inputs[0][1:2]).objects, matrices, config["scale"])
    torch.testing.assert_close(whole[1:2], alone, rtol=1e-3, atol=1e-4)


def test_a_network_that_decodes_makes_images_of_the_scenes_kind(read):
    _, network, batch, seen = read
    if not isinstance(network, Decodes):
        pytest.skip("its attributes are no pictures")
    names = [network.modules[k] for k in seen.objects.structure.module.unique().tolist()]
    images = [network.decode(name, seen.objects.attributes[:1]) for name in names]
    shown = [image for image in images if image is not None]
    assert shown
    assert all(image.shape[:2] == (1, batch.inputs[0].shape[1]) for image in shown)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_says_what_it_is_and_has_a_smoke_size(recipe):
    path = catalogue.members("experiment/sketch")[recipe]
    assert len(catalogue.describe(path)) > 10
    assert compose.expand("sketch", [recipe])[0].config.smoke
    if recipe in READING:
        assert composed(recipe)["until"]["steps"] <= 5
        assert composed(recipe)["most"] <= 8


@pytest.mark.parametrize("name", NETWORKS)
def test_the_yaml_of_a_network_lists_exactly_the_constructors_keywords(name):
    path = catalogue.members("network")[name]
    node = OmegaConf.load(path)
    cls = get_class(node._target_)
    assert listed(node) == keywords(cls, "model", "scenes")
    assert len(catalogue.describe(path)) > 10


def test_every_network_is_in_some_recipe():
    paths = [path for name, path in catalogue.members("experiment/sketch").items() if name in READING]
    assert {chosen(path).get("network", "cells") for path in paths} == set(NETWORKS)
