"""Counts and mean attributes estimated from sums of sketches."""

import pytest
import torch
from torch.nn.functional import normalize

from dlcli.sketching.networks.edges import Edges
from dlcli.sketching.recursive.counts import Counter, sum_sketches
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.module_graph import ModuleGraph
from dlcli.sketching.recursive.object_graph import Objects
from dlcli.sketching.recursive.object_graphs import concatenate, module_counts, select_scenes
from dlcli.sketching.recursive.sketch import sketch

KINDS, POSITIONS, SCENES, WIDTH = 4, 3, 300, 6


def scenes(seed):
    """A scene object with three children of four kinds and random attributes."""
    draw = torch.Generator().manual_seed(seed)
    edges, indices = Edges((*"abcd", "scene"), SCENES, torch.device("cpu")), torch.arange(SCENES)
    top = edges.add(indices, KINDS)
    edges.outputs(top)
    kind = torch.randint(0, KINDS, (SCENES * POSITIONS,), generator=draw)
    children = edges.add(indices.repeat_interleave(POSITIONS), kind)
    position = torch.arange(POSITIONS).repeat(SCENES)
    edges.join(top.repeat_interleave(POSITIONS), children, position, torch.full((len(children),), 1 / POSITIONS))
    raw = torch.rand(SCENES * (POSITIONS + 1), WIDTH, generator=draw)
    return Objects(edges.structure(), normalize(raw))


@pytest.mark.parametrize("scale", ["paper", "isometric"])
def test_count_error_is_within_its_standard_error(scale):
    objects, matrices = scenes(0), Matrices("hadamard", 512, 0)
    sketches, truth = sketch(objects, matrices, scale), module_counts(objects.structure).sum(0)
    counter = Counter(ModuleGraph.of(objects.structure), matrices, scale, 512, WIDTH, "joint")
    total = sum_sketches(sketches, torch.full((SCENES,), float(POSITIONS)), scale)
    kinds = objects.structure.module
    for module in range(KINDS):
        estimate = counter.count(total, module)
        assert abs(estimate.value - float(truth[module])) < max(5 * estimate.deviation, 0.03 * float(truth[module]))
        mean = objects.attributes[kinds == module].mean(0)
        assert (estimate.mean - mean).abs().max() < 0.1


def test_module_graph_paths():
    objects = scenes(1)
    graph = ModuleGraph.of(objects.structure)
    assert graph.paths(KINDS) == [((0, KINDS),)]
    assert graph.paths(0) == [((0, KINDS), (position, 0)) for position in range(POSITIONS)]


def test_select_scenes_and_concatenate():
    objects = scenes(2)
    matrices = Matrices("hadamard", 128, 0)
    indices = torch.tensor([7, 3, 250])
    part, kept = select_scenes(objects.structure, indices)
    selected = sketch(Objects(part, objects.attributes[kept]), matrices, "paper")
    assert torch.allclose(selected, sketch(objects, matrices, "paper")[indices], atol=1e-6)
    twice = concatenate([part, part])
    both = sketch(Objects(twice, objects.attributes[kept].repeat(2, 1)), matrices, "paper")
    assert torch.allclose(both, selected.repeat(2, 1), atol=1e-6)
