"""How many, what on average, and what is alike: asked of sketches alone."""

import pytest
import torch
from made_scenes import attributes, bag, random_graphs, sketched

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import Objects
from dlcli.sketching.recursive.queries import attribute, count_and_mean, erase, signature, similar
from dlcli.sketching.recursive.sketch import rate, sketch

TEN = bag([0, 0, 0, 0, 1, 2, 3, 4, 5, 6], [0] * 10, 8)


def counted(dimension: int, seed: int, keep: float = 1.0) -> tuple[float, float]:
    """Errors of count and mean, of four objects of a module among ten."""
    objects, made = sketched(TEN, 32, seed), Matrices("hadamard", dimension, seed)
    s = erase(sketch(objects, made, "paper"), keep)
    count, mean = count_and_mean(s, made, "m0", width=32, coefficient=rate(1, "paper") / 10)
    return abs(float(count) - 4), float((mean[0] - objects.attributes[:4].mean(0)).abs().max())


def test_count_and_mean() -> None:
    errors = torch.tensor([counted(2**14, seed) for seed in range(5)])
    assert errors[:, 0].max() < 0.6
    assert errors[:, 1].max() < 0.3


def test_count_and_mean_get_better_with_the_dimension() -> None:
    small, large = (torch.tensor([counted(d, seed) for seed in range(8)]).mean(0) for d in (2**10, 2**14))
    assert (small / large > 2).all()
    assert (small / large < 8).all()


def test_counts_survive_erasing() -> None:
    errors = torch.tensor([counted(2**14, seed, 0.25)[0] for seed in range(5)])
    assert errors.mean() < 0.7


def test_isometric_counts() -> None:
    objects, made = sketched(TEN, 32, 0), Matrices("hadamard", 2**14, 0)
    coefficient = rate(1, "isometric") * 0.1**0.5
    count, mean = count_and_mean(sketch(objects, made, "isometric"), made, "m0", width=32, coefficient=coefficient)
    assert abs(float(count) - 4) < 0.8
    assert (mean[0] - objects.attributes[:4].mean(0)).abs().max() < 0.3


def test_signature_is_the_weight_and_tells_presence() -> None:
    made = Matrices("hadamard", 2**14, 0)
    s = sketch(sketched(TEN, 32, 0), made, "paper")
    weights = torch.cat([signature(s, made, f"m{i}", rate=rate(1, "paper")) for i in range(8)])
    torch.testing.assert_close(weights, torch.tensor([0.4, *[0.1] * 6, 0.0]), atol=0.06, rtol=0)


def test_attribute_is_the_weighted_sum() -> None:
    made, objects = Matrices("hadamard", 2**14, 0), sketched(TEN, 32, 0)
    found = attribute(sketch(objects, made, "paper"), made, "m0", width=32, rate=rate(1, "paper"))
    torch.testing.assert_close(found[0], objects.attributes[:4].sum(0) / 10, atol=0.12, rtol=0)


def test_a_sum_of_sketches_answers_for_all_scenes() -> None:
    shape = bag([scene % 3 for scene in range(30) for _ in range(2)], [s for s in range(30) for _ in range(2)], 3)
    made = Matrices("hadamard", 2**13, 0)
    s = sketch(sketched(shape, 16, 0), made, "paper")
    each, _ = count_and_mean(s, made, "m1", width=16, coefficient=rate(1, "paper") / 2)
    whole, _ = count_and_mean(s.sum(0, keepdim=True), made, "m1", width=16, coefficient=rate(1, "paper") / 2)
    assert float(whole) == pytest.approx(float(each.sum()), rel=1e-3)
    assert float(whole) == pytest.approx(20, abs=5)


def test_there_is_no_mean_of_nothing() -> None:
    made = Matrices("hadamard", 2**12, 0)
    s = sketch(sketched(TEN, 32, 0), made, "paper")
    count, mean = count_and_mean(s * 0, made, "m7", width=32, coefficient=rate(1, "paper") / 10)
    assert float(count) == 0
    assert torch.equal(mean, torch.zeros(1, 32))


@pytest.mark.parametrize("scale", ["paper", "isometric"])
def test_scenes_that_share_an_object_are_more_alike(scale: str) -> None:
    """Four objects a scene of distinct modules; the area under the curve of shared against unshared is .95 or more."""
    pairs = 200
    modules = [
        m for _ in range(pairs) for m in (0, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10)
    ]  # a, b with a's first, c with none
    scenes = [3 * pair + place // 4 for pair in range(pairs) for place in range(12)]
    x = attributes(len(modules), 16, 0).view(pairs, 12, 16).clone()
    x[:, 4] = x[:, 0]
    shape, made = bag(modules, scenes, 11), Matrices("hadamard", 256, 0)
    s = sketch(Objects(shape, x.flatten(0, 1)), made, scale).view(pairs, 3, 256)
    shared, apart = (s[:, 0] * s[:, 1]).sum(1), (s[:, 0] * s[:, 2]).sum(1)
    assert (shared.unsqueeze(1) > apart).float().mean() >= 0.95


def test_flat_sketches_are_alike_too() -> None:
    shape, made = random_graphs(50, seed=0), Matrices("hadamard", 256, 0)
    s = flat.sketch(sketched(shape, 8, 0), made, "isometric")
    _, order = similar(s[7], torch.nn.functional.normalize(s, dim=1), 1)
    assert order.tolist() == [7]


def test_similar_is_greatest_first() -> None:
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
        with pytest.raises(UsageError, match=r"in \(0, 1\]"):
            erase(rows, keep)
