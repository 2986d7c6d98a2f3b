"""Errors fall with the root of the dimension, least squares is exact, and a path tells objects apart."""

import math

import pytest
import torch
from made_scenes import attributes, bag, binary_tree, random_graphs, sketched, structure

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.decoding import DECODERS, identity_path, least_squares, matched_filter, path_selected
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, Structure
from dlcli.sketching.recursive.queries import erase
from dlcli.sketching.recursive.sketch import sketch

DIMENSIONS = (256, 512, 1024, 2048, 4096)


def slope(errors: list[float]) -> float:
    """Of log error against log dimension, by least squares."""
    x = torch.tensor([math.log(d) for d in DIMENSIONS])
    y = torch.tensor(errors).log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


@pytest.mark.parametrize("scale", ["paper", "isometric"])
@pytest.mark.parametrize("name", ["identity_path", "matched_filter", "path_selected"])
def test_errors_fall_with_the_root_of_the_dimension(name: str, scale: str) -> None:
    shape = binary_tree()
    errors = []
    for dimension in DIMENSIONS:
        total = torch.zeros(7)
        for seed in range(5):
            objects, made = sketched(shape, 64, seed), Matrices("hadamard", dimension, seed)
            found = DECODERS[name](sketch(objects, made, scale), shape, made, 64, scale)
            total += (found - objects.attributes).abs().amax(1)
        errors.append(float(total.log().mean().exp()))
    assert -0.65 <= slope(errors) <= -0.35


def test_the_flat_sketch_decodes_with_the_root_of_the_dimension() -> None:
    shape = bag([0, 1, 2, 3], [0] * 4, 4)
    errors = []
    for dimension in DIMENSIONS:
        total = 0.0
        for seed in range(5):
            objects, made = sketched(shape, 64, seed), Matrices("hadamard", dimension, seed)
            found = flat.identity_path(flat.sketch(objects, made, "paper"), shape, made, 64, "paper")
            total += float((found - objects.attributes).abs().max())
        errors.append(total)
    assert -0.65 <= slope(errors) <= -0.35


def test_a_matched_filter_reads_deep_objects_better() -> None:
    shape, gains = binary_tree(), torch.zeros(7)
    for seed in range(3):
        objects, made = sketched(shape, 64, seed), Matrices("hadamard", 4096, seed)
        s = sketch(objects, made, "paper")
        one, other = (
            (decoder(s, shape, made, 64, "paper") - objects.attributes).abs().amax(1)
            for decoder in (identity_path, matched_filter)
        )
        gains += one / other / 3
    assert gains[0] > 1.3
    assert gains[1:3].mean() > 4
    assert gains[3:].mean() > 10


@pytest.mark.parametrize(
    ("kind", "dimension", "width"), [("hadamard", 1024, 64), ("dense", 256, 12), ("block", 256, 8)]
)
@pytest.mark.parametrize("scale", ["paper", "isometric"])
def test_least_squares_is_exact(kind: str, dimension: int, width: int, scale: str) -> None:
    """Seven objects of 64 values in three levels, from 1,024 numbers."""
    shape, made = binary_tree(), Matrices(kind, dimension, 0, density=0.5)
    objects = sketched(shape, width, 0)
    found = least_squares(sketch(objects, made, scale), shape, made, width, scale)
    assert (found - objects.attributes).abs().max() < 1e-3


def test_least_squares_of_many_scenes_at_once() -> None:
    """Scenes of different shape, shared children and several objects of one module; also from three quarters."""
    shape, made = random_graphs(4, seed=7), Matrices("hadamard", 512, 0)
    objects = sketched(shape, 8, 0)
    for keep in (1.0, 0.75):
        s = erase(sketch(objects, made, "isometric"), keep)
        found = least_squares(s, shape, made, 8, "isometric")
        assert (found - objects.attributes).abs().max() < 1e-3


def test_double_precision() -> None:
    shape, made = binary_tree(), Matrices("hadamard", 256, 0)
    objects = Objects(shape, attributes(7, 8, 0).double())
    s = sketch(objects, made, "isometric")
    found = least_squares(s, shape, made, 8, "isometric", tolerance=1e-13)
    assert s.dtype == found.dtype == torch.float64
    assert (found - objects.attributes).abs().max() < 1e-9


def test_a_path_tells_two_objects_of_one_module_apart() -> None:
    """The identity path answers with their weighted sum, in which each is half."""
    shape, made = bag([0, 0], [0, 0], 1), Matrices("hadamard", 2**14, 0)
    x = torch.zeros(2, 32)
    x[0, :16], x[1, 16:] = 0.25, 0.25
    s = sketch(Objects(shape, x), made, "paper")
    mixed = identity_path(s, shape, made, 32, "paper")
    torch.testing.assert_close(mixed[0], mixed[1])
    torch.testing.assert_close(mixed[0], x[0] + x[1], atol=0.3, rtol=0)
    for decoder in (path_selected, matched_filter):
        apart = decoder(s, shape, made, 32, "paper")
        own = (apart * x).sum(1)
        other = (apart * x.flip(0)).sum(1)
        assert (own - 1).abs().max() < 0.15
        if decoder is path_selected:
            assert other.abs().max() < 0.15


def test_a_path_of_two_levels() -> None:
    """Two objects of one module under different parents at depth 2."""
    edges = [(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.5), (0, 2, 0, 1.0), (1, 3, 0, 1.0)]
    shape, made = structure(("a", "b", "c"), [0, 1, 2, 2], [0] * 4, edges), Matrices("hadamard", 2**17, 0)
    x = torch.zeros(4, 32)
    x[:2, 0], x[2, :16], x[3, 16:] = 1.0, 0.25, 0.25
    found = path_selected(sketch(Objects(shape, x), made, "isometric"), shape, made, 32, "isometric")
    products = found[2:] @ x[2:].T
    torch.testing.assert_close(products, torch.eye(2), atol=0.35, rtol=0)


@pytest.mark.parametrize("kind", ["hadamard", "dense"])
@pytest.mark.parametrize("name", ["identity_path", "path_selected", "matched_filter"])
def test_erasing_cuts_the_composed_product(name: str, kind: str) -> None:
    """The first rows of the product of all matrices, rescaled, and not the product of cut matrices."""
    shape, made = binary_tree(), Matrices(kind, 128, 0)
    kept, scale = 48, "isometric"
    decoder = DECODERS[name]
    s = sketch(sketched(shape, 16, 0), made, scale)
    rows = torch.eye(128).unsqueeze(1)
    product = torch.stack([decoder(row, shape, made, 16, scale) for row in rows[:kept]])
    by_hand = torch.einsum("d,doa->oa", s[0, :kept], product) * 128 / kept
    torch.testing.assert_close(decoder(s[:, :kept], shape, made, 16, scale), by_hand, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "low", "high"), [("identity_path", 1.6, 2.4), ("matched_filter", 1.1, 2.0)])
def test_erasing_costs_the_root_of_what_is_lost(name: str, low: float, high: float) -> None:
    """From a quarter of a sketch the error is twice as large; a matched filter, inside whole matrices, loses less."""
    shape, errors = binary_tree(), torch.zeros(2)
    for seed in range(5):
        objects, made = sketched(shape, 64, seed), Matrices("hadamard", 4096, seed)
        s = sketch(objects, made, "isometric")
        for place, keep in enumerate((1.0, 0.25)):
            found = DECODERS[name](erase(s, keep), shape, made, 64, "isometric")
            errors[place] += (found - objects.attributes).abs().amax(1).log().mean() / 5
    assert low < float((errors[1] - errors[0]).exp()) < high


@pytest.mark.parametrize("name", list(DECODERS))
def test_a_scene_is_decoded_alike_alone_and_among_others(name: str) -> None:
    shape, made = random_graphs(3, seed=9), Matrices("hadamard", 256, 0)
    mine, edges = int((shape.scene == 0).sum()), int((shape.scene[shape.child] == 0).sum())
    first = (shape.parent[:edges], shape.child[:edges], shape.position[:edges], shape.weight[:edges])
    alone = Structure(shape.modules, shape.module[:mine], shape.scene[:mine], *first, 1)
    objects = sketched(shape, 8, 0)
    s = sketch(objects, made, "isometric")
    many = DECODERS[name](s, shape, made, 8, "isometric")
    one = DECODERS[name](s[:1], alone, made, 8, "isometric")
    torch.testing.assert_close(many[:mine], one, rtol=1e-3, atol=1e-4)


def test_objects_of_no_weight_are_zeros() -> None:
    shape = structure(("a", "b"), [0, 1], [0, 0], [(OUTPUT, 0, 0, 1.0), (OUTPUT, 1, 1, 0.0)])
    made = Matrices("hadamard", 256, 0)
    s = sketch(sketched(shape, 8, 0), made, "paper")
    for decoder in DECODERS.values():
        found = decoder(s, shape, made, 8, "paper")
        assert torch.isfinite(found).all()
        assert torch.equal(found[1], torch.zeros(8))


def test_width_is_refused() -> None:
    shape, made = binary_tree(), Matrices("hadamard", 64, 0)
    for decoder in DECODERS.values():
        with pytest.raises(UsageError, match="cannot hold"):
            decoder(torch.zeros(1, 64), shape, made, 65, "paper")


@pytest.mark.parametrize("name", list(DECODERS))
def test_a_batch_of_empty_scenes(name: str) -> None:
    none = torch.zeros(0, dtype=torch.int64)
    shape, made = Structure(("a",), none, none, none, none, none, torch.zeros(0), 2), Matrices("hadamard", 64, 0)
    s = sketch(Objects(shape, torch.zeros(0, 8)), made, "paper")
    assert torch.equal(s, torch.zeros(2, 64))
    assert DECODERS[name](s, shape, made, 8, "paper").shape == (0, 8)
