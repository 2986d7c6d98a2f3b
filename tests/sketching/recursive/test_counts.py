"""Counting without the structure: exact where nothing else is in the sum, within its error where there is."""

import pytest
import torch
from torch.nn.functional import normalize

from dlcli.sketching.networks.edges import Edges
from dlcli.sketching.recursive.counts import Counter, summed
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.module_graph import Wiring
from dlcli.sketching.recursive.object_graph import Objects
from dlcli.sketching.recursive.object_graphs import counts, of_scenes, side_by_side
from dlcli.sketching.recursive.sketch import sketch

KINDS, PLACES, SCENES, WIDTH = 4, 3, 300, 6


def scenes(seed):
    """A scene object over three things of four kinds with random attributes."""
    draw = torch.Generator().manual_seed(seed)
    edges, every = Edges((*"abcd", "scene"), SCENES, torch.device("cpu")), torch.arange(SCENES)
    top = edges.add(every, KINDS)
    edges.outputs(top)
    kind = torch.randint(0, KINDS, (SCENES * PLACES,), generator=draw)
    things = edges.add(every.repeat_interleave(PLACES), kind)
    place = torch.arange(PLACES).repeat(SCENES)
    edges.join(top.repeat_interleave(PLACES), things, place, torch.full((len(things),), 1 / PLACES))
    raw = torch.rand(SCENES * (PLACES + 1), WIDTH, generator=draw)
    return Objects(edges.structure(), normalize(raw))


@pytest.mark.parametrize("scale", ["paper", "isometric"])
def test_counts_of_many_scenes_are_within_their_errors(scale):
    objects, matrices = scenes(0), Matrices("hadamard", 512, 0)
    made, truth = sketch(objects, matrices, scale), counts(objects.structure).sum(0)
    counter = Counter(Wiring.of(objects.structure), matrices, scale, 512, WIDTH, "joint")
    whole = summed(made, torch.full((SCENES,), float(PLACES)), scale)
    kinds = objects.structure.module
    for module in range(KINDS):
        found = counter.count(whole, module)
        assert abs(found.value - float(truth[module])) < max(5 * found.deviation, 0.03 * float(truth[module]))
        mean = objects.attributes[kinds == module].mean(0)
        assert (found.mean - mean).abs().max() < 0.1


def test_all_ways_to_a_module_are_found():
    objects = scenes(1)
    wiring = Wiring.of(objects.structure)
    assert wiring.ways(KINDS) == [((0, KINDS),)]
    assert wiring.ways(0) == [((0, KINDS), (place, 0)) for place in range(PLACES)]


def test_scenes_taken_out_and_put_together_are_the_same():
    objects = scenes(2)
    matrices = Matrices("hadamard", 128, 0)
    chosen = torch.tensor([7, 3, 250])
    part, kept = of_scenes(objects.structure, chosen)
    some = sketch(Objects(part, objects.attributes[kept]), matrices, "paper")
    assert torch.allclose(some, sketch(objects, matrices, "paper")[chosen], atol=1e-6)
    twice = side_by_side([part, part])
    both = sketch(Objects(twice, objects.attributes[kept].repeat(2, 1)), matrices, "paper")
    assert torch.allclose(both, some.repeat(2, 1), atol=1e-6)
