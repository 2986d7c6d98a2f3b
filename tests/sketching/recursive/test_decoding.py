"""Decoders: errors proportional to 1/sqrt(dimension), exact least squares, objects distinguished by paths."""

import math

import pytest
import torch
from made_scenes import attributes, bag, binary_tree, random_graphs, random_objects, structure

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.decoding import DECODERS, identity_path, least_squares, matched_filter, path_selected
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, Structure
from dlcli.sketching.recursive.queries import erase
from dlcli.sketching.recursive.sketch import sketch

DIMENSIONS = (256, 512, 1024, 2048, 4096)


def slope(errors: list[float]) -> float:
    """Slope of log error over log dimension, by least squares."""
    x = torch.tensor([math.log(d) for d in DIMENSIONS])
    y = torch.tensor(errors).log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


@pytest.mark.parametrize("scale", ["paper", "isometric"])
@pytest.mark.parametrize("name", ["identity_path", "matched_filter", "path_selected"])
def test_decoder_error_is_proportional_to_inverse_root_of_dimension(name: str, scale: str) -> None:
    shape = binary_tree()
    errors = []
    for dimension in DIMENSIONS:
        total = torch.zeros(7)
        for seed in range(5):
            objects, matrices = random_objects(shape, 64, seed), Matrices("hadamard", dimension, seed)
            decoded = DECODERS[name](sketch(objects, matrices, scale), shape, matrices, 64, scale)
            total += (decoded - objects.attributes).abs().amax(1)
        errors.append(float(total.log().mean().exp()))
    assert -0.65 <= slope(errors) <= -0.35


def test_flat_decoder_error_is_proportional_to_inverse_root_of_dimension() -> None:
    shape = bag([0, 1, 2, 3], [0] * 4, 4)
    errors = []
    for dimension in DIMENSIONS:
        total = 0.0
        for seed in range(5):
            objects, matrices = random_objects(shape, 64, seed), Matrices("hadamard", dimension, seed)
            decoded = flat.identity_path(flat.sketch(objects, matrices, "paper"), shape, matrices, 64, "paper")
            total += float((decoded - objects.attributes).abs().max())
        errors.append(total)
    assert -0.65 <= slope(errors) <= -0.35


def test_matched_filter_is_more_accurate_for_deep_objects() -> None:
    shape, gains = binary_tree(), torch.zeros(7)
    for seed in range(3):
        objects, matrices = random_objects(shape, 64, seed), Matrices("hadamard", 4096, seed)
        s = sketch(objects, matrices, "paper")
        identity, matched = (
            (decoder(s, shape, matrices, 64, "paper") - objects.attributes).abs().amax(1)
            for decoder in (identity_path, matched_filter)
        )
        gains += identity / matched / 3
    assert gains[0] > 1.3
    assert gains[1:3].mean() > 4
    assert gains[3:].mean() > 10


@pytest.mark.parametrize(
    ("kind", "dimension", "width"), [("hadamard", 1024, 64), ("dense", 256, 12), ("block", 256, 8)]
)
@pytest.mark.parametrize("scale", ["paper", "isometric"])
def test_least_squares_is_exact(kind: str, dimension: int, width: int, scale: str) -> None:
    """Seven objects with 64 values in three levels, from 1,024 values."""
    shape, matrices = binary_tree(), Matrices(kind, dimension, 0, density=0.5)
    objects = random_objects(shape, width, 0)
    decoded = least_squares(sketch(objects, matrices, scale), shape, matrices, width, scale)
    assert (decoded - objects.attributes).abs().max() < 1e-3


def test_least_squares_of_several_scenes() -> None:
    """Different graphs with shared children and repeated modules; also with a quarter erased."""
    shape, matrices = random_graphs(4, seed=7), Matrices("hadamard", 512, 0)
    objects = random_objects(shape, 8, 0)
    for keep in (1.0, 0.75):
        s = erase(sketch(objects, matrices, "isometric"), keep)
        decoded = least_squares(s, shape, matrices, 8, "isometric")
        assert (decoded - objects.attributes).abs().max() < 1e-3


def test_least_squares_in_double_precision() -> None:
    shape, matrices = binary_tree(), Matrices("hadamard", 256, 0)
    objects = Objects(shape, attributes(7, 8, 0).double())
    s = sketch(objects, matrices, "isometric")
    decoded = least_squares(s, shape, matrices, 8, "isometric", tolerance=1e-13)
    assert s.dtype == decoded.dtype == torch.float64
    assert (decoded - objects.attributes).abs().max() < 1e-9


def test_path_selected_distinguishes_objects_of_one_module() -> None:
    """The identity path returns their weighted sum."""
    shape, matrices = bag([0, 0], [0, 0], 1), Matrices("hadamard", 2**14, 0)
    x = torch.zeros(2, 32)
    x[0, :16], x[1, 16:] = 0.25, 0.25
    s = sketch(Objects(shape, x), matrices, "paper")
    mixed = identity_path(s, shape, matrices, 32, "paper")
    torch.testing.assert_close(mixed[0], mixed[1])
    torch.testing.assert_close(mixed[0], x[0] + x[1], atol=0.3, rtol=0)
    for decoder in (path_selected, matched_filter):
        apart = decoder(s, shape, matrices, 32, "paper")
        own = (apart * x).sum(1)
        other = (apart * x.flip(0)).sum(1)
        assert (own - 1).abs().max() < 0.15
        if decoder is path_selected:
            assert other.abs().max() < 0.15


def test_path_selected_at_depth_two() -> None:
    """Two objects of one module under different parents at depth 2."""
    edges = [(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.5), (0, 2, 0, 1.0), (1, 3, 0, 1.0)]
    shape, matrices = structure(("a", "b", "c"), [0, 1, 2, 2], [0] * 4, edges), Matrices("hadamard", 2**17, 0)
    x = torch.zeros(4, 32)
    x[:2, 0], x[2, :16], x[3, 16:] = 1.0, 0.25, 0.25
    decoded = path_selected(sketch(Objects(shape, x), matrices, "isometric"), shape, matrices, 32, "isometric")
    products = decoded[2:] @ x[2:].T
    torch.testing.assert_close(products, torch.eye(2), atol=0.35, rtol=0)


@pytest.mark.parametrize("kind", ["hadamard", "dense"])
@pytest.mark.parametrize("name", ["identity_path", "path_selected", "matched_filter"])
def test_erasure_truncates_the_composed_product(name: str, kind: str) -> None:
    """The first rows of the product of all matrices, rescaled; not the product of truncated matrices."""
    shape, matrices = binary_tree(), Matrices(kind, 128, 0)
    kept, scale = 48, "isometric"
    decoder = DECODERS[name]
    s = sketch(random_objects(shape, 16, 0), matrices, scale)
    rows = torch.eye(128).unsqueeze(1)
    product = torch.stack([decoder(row, shape, matrices, 16, scale) for row in rows[:kept]])
    by_hand = torch.einsum("d,doa->oa", s[0, :kept], product) * 128 / kept
    torch.testing.assert_close(decoder(s[:, :kept], shape, matrices, 16, scale), by_hand, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "low", "high"), [("identity_path", 1.6, 2.4), ("matched_filter", 1.1, 2.0)])
def test_erasure_error(name: str, low: float, high: float) -> None:
    """From a quarter of a sketch the error is twice as large; less for the matched filter."""
    shape, errors = binary_tree(), torch.zeros(2)
    for seed in range(5):
        objects, matrices = random_objects(shape, 64, seed), Matrices("hadamard", 4096, seed)
        s = sketch(objects, matrices, "isometric")
        for index, keep in enumerate((1.0, 0.25)):
            decoded = DECODERS[name](erase(s, keep), shape, matrices, 64, "isometric")
            errors[index] += (decoded - objects.attributes).abs().amax(1).log().mean() / 5
    assert low < float((errors[1] - errors[0]).exp()) < high


@pytest.mark.parametrize("name", list(DECODERS))
def test_decoder_is_independent_of_the_batch(name: str) -> None:
    shape, matrices = random_graphs(3, seed=9), Matrices("hadamard", 256, 0)
    objects_of_first, edges = int((shape.scene == 0).sum()), int((shape.scene[shape.child] == 0).sum())
    first = (shape.parent[:edges], shape.child[:edges], shape.position[:edges], shape.weight[:edges])
    alone = Structure(shape.modules, shape.module[:objects_of_first], shape.scene[:objects_of_first], *first, 1)
    objects = random_objects(shape, 8, 0)
    s = sketch(objects, matrices, "isometric")
    batched = DECODERS[name](s, shape, matrices, 8, "isometric")
    single = DECODERS[name](s[:1], alone, matrices, 8, "isometric")
    torch.testing.assert_close(batched[:objects_of_first], single, rtol=1e-3, atol=1e-4)


def test_decoders_return_zero_for_objects_of_weight_zero() -> None:
    shape = structure(("a", "b"), [0, 1], [0, 0], [(OUTPUT, 0, 0, 1.0), (OUTPUT, 1, 1, 0.0)])
    matrices = Matrices("hadamard", 256, 0)
    s = sketch(random_objects(shape, 8, 0), matrices, "paper")
    for decoder in DECODERS.values():
        decoded = decoder(s, shape, matrices, 8, "paper")
        assert torch.isfinite(decoded).all()
        assert torch.equal(decoded[1], torch.zeros(8))


def test_decoders_reject_attributes_wider_than_the_dimension() -> None:
    shape, matrices = binary_tree(), Matrices("hadamard", 64, 0)
    for decoder in DECODERS.values():
        with pytest.raises(UsageError) as error:
            decoder(torch.zeros(1, 64), shape, matrices, 65, "paper")
        assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "dimension")


@pytest.mark.parametrize("name", list(DECODERS))
def test_decoders_accept_empty_scenes(name: str) -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    shape, matrices = (
        Structure(("a",), empty, empty, empty, empty, empty, torch.zeros(0), 2),
        Matrices("hadamard", 64, 0),
    )
    s = sketch(Objects(shape, torch.zeros(0, 8)), matrices, "paper")
    assert torch.equal(s, torch.zeros(2, 64))
    assert DECODERS[name](s, shape, matrices, 8, "paper").shape == (0, 8)
