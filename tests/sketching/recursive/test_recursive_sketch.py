"""Batched sketches equal the recursion; coefficients and norms equal those of its expansion."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from made_scenes import attributes, binary_tree, random_graphs, random_objects
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.linear_map import adjoint_map, forward_map
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, Structure
from dlcli.sketching.recursive.paths import equal_words, squared_norms
from dlcli.sketching.recursive.sketch import coefficients, rate, sketch

KINDS = ["hadamard", "dense", "block"]
SCALES = ["paper", "isometric"]


def recursive_sketch(objects: Objects, matrices: Matrices, scale: str, scene: int) -> Tensor:
    """The recursion of the paper, one object at a time."""
    shape = objects.structure
    half = 0.5 if scale == "paper" else 0.5**0.5

    def through(operator, s: Tensor) -> Tensor:
        return half * (s + operator.apply(s))

    def weighted(reader: int) -> Tensor:
        total = torch.zeros(matrices.dimension, dtype=objects.attributes.dtype)
        for edge in range(len(shape.parent)):
            child = int(shape.child[edge])
            if int(shape.parent[edge]) == reader and (reader != OUTPUT or int(shape.scene[child]) == scene):
                w = float(shape.weight[edge])
                w = w if scale == "paper" else w**0.5
                total += w * through(matrices.position(int(shape.position[edge])), of(child))
        return total

    def of(number: int) -> Tensor:
        name = shape.modules[int(shape.module[number])]
        x = objects.attributes[number]
        e1 = torch.eye(1, matrices.dimension, dtype=x.dtype)[0]
        own = half * matrices.attribute(name).apply(x) + half * matrices.signature(name).apply(e1)
        pair = half * through(matrices.position(0), own) + half * through(matrices.position(1), weighted(number))
        return through(matrices.object(name), pair)

    return weighted(OUTPUT)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_batched_sketch_equals_recursion(kind: str, scale: str) -> None:
    shape = random_graphs(12, seed=1)
    objects = Objects(shape, attributes(len(shape.module), 10, 0).double())
    matrices = Matrices(kind, 64, 3)
    batched = sketch(objects, matrices, scale)
    sequential = torch.stack([recursive_sketch(objects, matrices, scale, scene) for scene in range(12)])
    torch.testing.assert_close(batched, sequential, rtol=1e-6, atol=1e-7)


def test_random_graphs_have_shared_children_and_repeated_modules() -> None:
    shape = random_graphs(12, seed=1)
    parents = torch.bincount(shape.child)
    assert parents.max() > 1
    assert len(shape.levels.objects) > 3
    twice = Counter(zip(shape.scene.tolist(), shape.module.tolist(), strict=True)).most_common(1)
    assert twice[0][1] > 1


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_adjoint_map(kind: str, scale: str) -> None:
    shape, matrices = random_graphs(6, seed=2), Matrices(kind, 64, 0)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(len(shape.module), 8, generator=draw, dtype=torch.float64)
    y = torch.randn(6, 50, generator=draw, dtype=torch.float64)
    no_signatures = x.new_zeros(len(x))
    left = (forward_map(shape, x, no_signatures, matrices, scale)[:, :50] * y).sum()
    right = (x * adjoint_map(y, shape, matrices, scale, 8)).sum()
    torch.testing.assert_close(left, right)


def words(shape: Structure, scale: str, target: int) -> Counter:
    """All products of matrices applied to an object's attributes in its scene's sketch, by enumeration."""
    half = 0.5 if scale == "paper" else 0.5**0.5

    def through(letter: str, terms: Counter, by: float) -> Counter:
        out: Counter = Counter()
        for word, value in terms.items():
            out[word] += half * by * value
            out[(letter, *word)] += half * by * value
        return out

    def weighted(reader: int) -> Counter:
        total: Counter = Counter()
        for edge in range(len(shape.parent)):
            child = int(shape.child[edge])
            if int(shape.parent[edge]) == reader and (reader != OUTPUT or shape.scene[child] == shape.scene[target]):
                w = float(shape.weight[edge])
                total.update(through(f"t{int(shape.position[edge])}", of(child), w if scale == "paper" else w**0.5))
        return total

    def of(number: int) -> Counter:
        own = Counter({("x",): half}) if number == target else Counter()
        pair = through("t0", own, half)
        pair.update(through("t1", weighted(number), half))
        return through(f"m{int(shape.module[number])}", pair, 1.0)

    return weighted(OUTPUT)


@pytest.mark.parametrize("scale", SCALES)
def test_coefficients_and_norms_equal_the_expansion(scale: str) -> None:
    shape = random_graphs(5, seed=4, modules=2)
    expanded = [words(shape, scale, number) for number in range(len(shape.module))]
    identity = torch.tensor([terms["x",] for terms in expanded])
    squares = torch.tensor([sum(value**2 for value in terms.values()) for terms in expanded])
    torch.testing.assert_close(coefficients(shape, scale), identity)
    torch.testing.assert_close(squared_norms(shape, scale), squares)


def test_squared_norms_equal_measured_columns() -> None:
    """At d = 4,096 the mean over columns is within a few percent."""
    shape, matrices = binary_tree(modules=1), Matrices("hadamard", 4096, 0)
    sizes = []
    for number in range(7):
        x = torch.zeros(7, 16)
        draw = torch.Generator().manual_seed(number)
        x[number] = torch.randint(0, 2, (16,), generator=draw).float() * 2 - 1
        sizes.append(float(forward_map(shape, x, torch.zeros(7), matrices, "isometric").square().sum()) / 16)
    torch.testing.assert_close(torch.tensor(sizes), squared_norms(shape, "isometric"), rtol=0.15, atol=0.0)


def test_equal_words() -> None:
    """ "aa" has the subsequences 1, a (twice), aa: 1 + 4 + 1 pairs; "ab" and "ba" share 1, a, b; -1 is padding."""
    left = torch.tensor([[0, 0], [0, 1], [0, -1], [0, 1]])
    right = torch.tensor([[0, 0], [1, 0], [0, -1], [2, 3]])
    assert equal_words(left, right).tolist() == [6, 3, 2, 1]


@pytest.mark.parametrize("scale", SCALES)
def test_rate_is_the_coefficient_at_weight_one(scale: str) -> None:
    values = coefficients(binary_tree(), scale)
    for number, depth in ((0, 1), (1, 2), (5, 3)):
        weight = 0.5 ** (depth - 1)
        assert float(values[number]) == pytest.approx(
            rate(depth, scale) * (weight if scale == "paper" else weight**0.5)
        )


def test_flat_sketch_is_the_weighted_sum() -> None:
    shape, matrices = random_graphs(6, seed=3), Matrices("hadamard", 64, 0)
    objects = random_objects(shape, 8, 0)
    weight = flat.coefficients(shape, "paper")
    total = torch.zeros(6, 64)
    for number, x in enumerate(objects.attributes):
        name = shape.modules[int(shape.module[number])]
        total[shape.scene[number]] += weight[number] * matrices.attribute(name).apply(x)
    torch.testing.assert_close(flat.sketch(objects, matrices, "paper"), total)


def test_flat_coefficients_of_a_tree() -> None:
    assert flat.coefficients(binary_tree(), "paper").tolist() == [1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


def test_sketch_of_empty_scene_is_zero() -> None:
    shape = replace(binary_tree(), scenes=2)
    sketches = sketch(random_objects(shape, 8, 0), Matrices("hadamard", 64, 0), "paper")
    assert sketches[0].abs().sum() > 0
    assert torch.equal(sketches[1], torch.zeros(64))


def test_sketch_rejects_attributes_wider_than_the_dimension() -> None:
    with pytest.raises(UsageError) as error:
        sketch(random_objects(binary_tree(), 65, 0), Matrices("hadamard", 64, 0), "paper")
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "dimension")
