"""Queries of sketches alone: counts, means and similarity."""

import pytest
import torch
from made_scenes import attributes, bag, random_graphs, random_objects

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects
from dlcli.sketching.recursive.queries import attribute, count_and_mean, erase, signature, similar
from dlcli.sketching.recursive.sketch import rate, sketch

TEN = bag([0, 0, 0, 0, 1, 2, 3, 4, 5, 6], [0] * 10, 8)


def count_errors(dimension: int, seed: int, keep: float = 1.0) -> tuple[float, float]:
    """Errors of count and mean of a module with four objects among ten."""
    objects, matrices = random_objects(TEN, 32, seed), Matrices("hadamard", dimension, seed)
    s = erase(sketch(objects, matrices, "paper"), keep)
    count, mean = count_and_mean(s, matrices, "m0", width=32, coefficient=rate(1, "paper") / 10)
    return abs(float(count) - 4), float((mean[0] - objects.attributes[:4].mean(0)).abs().max())


def test_count_and_mean() -> None:
    errors = torch.tensor([count_errors(2**14, seed) for seed in range(5)])
    assert errors[:, 0].max() < 0.6
    assert errors[:, 1].max() < 0.3


def test_count_and_mean_improve_with_the_dimension() -> None:
    small, large = (torch.tensor([count_errors(d, seed) for seed in range(8)]).mean(0) for d in (2**10, 2**14))
    assert (small / large > 2).all()
    assert (small / large < 8).all()


def test_count_after_erasure() -> None:
    errors = torch.tensor([count_errors(2**14, seed, 0.25)[0] for seed in range(5)])
    assert errors.mean() < 0.7


def test_count_and_mean_isometric() -> None:
    objects, matrices = random_objects(TEN, 32, 0), Matrices("hadamard", 2**14, 0)
    coefficient = rate(1, "isometric") * 0.1**0.5
    count, mean = count_and_mean(
        sketch(objects, matrices, "isometric"), matrices, "m0", width=32, coefficient=coefficient
    )
    assert abs(float(count) - 4) < 0.8
    assert (mean[0] - objects.attributes[:4].mean(0)).abs().max() < 0.3


def test_signature_is_the_sum_of_weights() -> None:
    matrices = Matrices("hadamard", 2**14, 0)
    s = sketch(random_objects(TEN, 32, 0), matrices, "paper")
    weights = torch.cat([signature(s, matrices, f"m{i}", rate=rate(1, "paper")) for i in range(8)])
    torch.testing.assert_close(weights, torch.tensor([0.4, *[0.1] * 6, 0.0]), atol=0.06, rtol=0)


def test_attribute_is_the_weighted_sum() -> None:
    matrices, objects = Matrices("hadamard", 2**14, 0), random_objects(TEN, 32, 0)
    estimate = attribute(sketch(objects, matrices, "paper"), matrices, "m0", width=32, rate=rate(1, "paper"))
    torch.testing.assert_close(estimate[0], objects.attributes[:4].sum(0) / 10, atol=0.12, rtol=0)


def test_count_of_a_sum_of_sketches() -> None:
    shape = bag([scene % 3 for scene in range(30) for _ in range(2)], [s for s in range(30) for _ in range(2)], 3)
    matrices = Matrices("hadamard", 2**13, 0)
    s = sketch(random_objects(shape, 16, 0), matrices, "paper")
    each, _ = count_and_mean(s, matrices, "m1", width=16, coefficient=rate(1, "paper") / 2)
    total, _ = count_and_mean(s.sum(0, keepdim=True), matrices, "m1", width=16, coefficient=rate(1, "paper") / 2)
    assert float(total) == pytest.approx(float(each.sum()), rel=1e-3)
    assert float(total) == pytest.approx(20, abs=5)


def test_mean_of_absent_module_is_zero() -> None:
    matrices = Matrices("hadamard", 2**12, 0)
    s = sketch(random_objects(TEN, 32, 0), matrices, "paper")
    count, mean = count_and_mean(s * 0, matrices, "m7", width=32, coefficient=rate(1, "paper") / 10)
    assert float(count) == 0
    assert torch.equal(mean, torch.zeros(1, 32))


@pytest.mark.parametrize("scale", ["paper", "isometric"])
def test_scenes_with_a_common_object_are_more_similar(scale: str) -> None:
    """Four objects of distinct modules per scene; the AUC of shared against unshared is at least 0.95."""
    pairs = 200
    modules = [
        m for _ in range(pairs) for m in (0, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10)
    ]  # a; b shares the first object of a; c shares none
    scenes = [3 * pair + index // 4 for pair in range(pairs) for index in range(12)]
    x = attributes(len(modules), 16, 0).view(pairs, 12, 16).clone()
    x[:, 4] = x[:, 0]
    shape, matrices = bag(modules, scenes, 11), Matrices("hadamard", 256, 0)
    s = sketch(Objects(shape, x.flatten(0, 1)), matrices, scale).view(pairs, 3, 256)
    shared, apart = (s[:, 0] * s[:, 1]).sum(1), (s[:, 0] * s[:, 2]).sum(1)
    assert (shared.unsqueeze(1) > apart).float().mean() >= 0.95


def test_similar_of_flat_sketches() -> None:
    shape, matrices = random_graphs(50, seed=0), Matrices("hadamard", 256, 0)
    s = flat.sketch(random_objects(shape, 8, 0), matrices, "isometric")
    _, order = similar(s[7], torch.nn.functional.normalize(s, dim=1), 1)
    assert order.tolist() == [7]


def test_similar_is_in_descending_order() -> None:
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    values, order = similar(torch.tensor([1.0, 0.5]), rows, 2)
    assert order.tolist() == [2, 0]
    assert values.tolist() == [2.0, 1.0]
    assert len(similar(rows[0], rows, 10)[1]) == 3


def test_erase() -> None:
    rows = torch.arange(20.0).view(2, 10)
    assert torch.equal(erase(rows, 0.3), rows[:, :3])
    assert erase(rows, 0.001).shape == (2, 1)
    for keep in (0.0, 1.5, float("nan")):
        with pytest.raises(UsageError) as error:
            erase(rows, keep)
        assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "keep")
