"""Per recipe of `dlcli sketch`: the network that it reads, its objects and their sketches."""

import functools

import pytest
import torch
from helpers.recipes import CPU, RECIPES, expand

from dlcli.commands.sketch import sketch
from dlcli.commands.sketch.writer import KINDS
from dlcli.config import catalogue
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.sketching.networks.modular_network import AttributeDecoder, ModularNetwork
from dlcli.sketching.recursive.object_graph import OUTPUT

READING = [recipe for recipe in RECIPES if recipe.command == "sketch" and recipe.name != "bench"]


@functools.cache
def composed(recipe):
    return expand(recipe).resolved()


@pytest.fixture(scope="module", params=READING, ids=str)
def read(request):
    """The configuration of a recipe, its untrained network, the first scenes and the objects in them."""
    config = composed(request.param)
    sketch.check(config)
    built, network, window = sketch.build_network(config, CPU, None)
    batch = window.batch(config["split"], 0)
    with evaluation_mode(built.model):
        return config, network, batch, network.objects(batch.inputs[0])


def test_objects_have_unit_attributes_and_shared_weights(read):
    _, network, batch, seen = read
    structure, attributes = seen.objects.structure, seen.objects.attributes
    assert isinstance(network, ModularNetwork)
    assert structure.scenes == len(batch) == len(seen.output) == len(seen.total)
    assert attributes.shape == (len(structure.module), network.width)
    assert (attributes >= 0).all()
    length = torch.linalg.vector_norm(attributes, dim=1)
    assert ((length - 1).abs() < 1e-4).logical_or(length == 0).all()
    reader = torch.where(structure.parent == OUTPUT, -1 - structure.scene[structure.child], structure.parent)
    _, place = reader.unique(return_inverse=True)
    wholes = torch.zeros(int(place.max()) + 1).index_add_(0, place, structure.weight)
    torch.testing.assert_close(wholes, torch.ones_like(wholes), rtol=0, atol=1e-4)


def test_sketch_of_a_scene_is_independent_of_its_batch(read):
    config, network, batch, seen = read
    make, matrices = KINDS[config["kind"]], sketch.matrices_of(config, CPU)
    whole = make(seen.objects, matrices, config["scale"])
    assert whole.shape == (len(batch), matrices.dimension)
    assert whole.isfinite().all()
    with torch.inference_mode():
        alone = make(network.objects(batch.inputs[0][1:2]).objects, matrices, config["scale"])
    torch.testing.assert_close(whole[1:2], alone, rtol=1e-3, atol=1e-4)


def test_decoder_outputs_images_with_the_channels_of_the_scenes(read):
    _, network, batch, seen = read
    if not isinstance(network, AttributeDecoder):
        pytest.skip("the network cannot decode attributes to images")
    names = [network.modules[k] for k in seen.objects.structure.module.unique().tolist()]
    images = [network.decode(name, seen.objects.attributes[:1]) for name in names]
    shown = [image for image in images if image is not None]
    assert shown
    assert all(image.shape[:2] == (1, batch.inputs[0].shape[1]) for image in shown)


@pytest.mark.parametrize("recipe", READING, ids=str)
def test_smoke_size_of_a_sketch_is_small(recipe):
    assert composed(recipe)["until"]["steps"] <= 5
    assert composed(recipe)["most"] <= 8


def test_recipes_name_every_network():
    assert {recipe.choices.get("network", "cells") for recipe in READING} == {*catalogue.members("network")}
