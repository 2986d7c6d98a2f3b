"""The sketch of many scenes at once is what the recursion says of each, and coefficients are those of its expansion."""

from collections import Counter

import pytest
import torch
from made_scenes import attributes, binary_tree, random_graphs, sketched
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive import flat
from dlcli.sketching.recursive.linear_map import down, up
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, Structure
from dlcli.sketching.recursive.paths import equal_words, squared_norms
from dlcli.sketching.recursive.sketch import coefficients, rate, sketch

KINDS = ["hadamard", "dense", "block"]
SCALES = ["paper", "isometric"]


def plain(objects: Objects, made: Matrices, scale: str, scene: int) -> Tensor:
    """The recursion, one object at a time."""
    shape = objects.structure
    half = 0.5 if scale == "paper" else 0.5**0.5

    def through(operator, s: Tensor) -> Tensor:
        return half * (s + operator.apply(s))

    def weighted(reader: int) -> Tensor:
        total = torch.zeros(made.dimension, dtype=objects.attributes.dtype)
        for edge in range(len(shape.parent)):
            child = int(shape.child[edge])
            if int(shape.parent[edge]) == reader and (reader != OUTPUT or int(shape.scene[child]) == scene):
                w = float(shape.weight[edge])
                w = w if scale == "paper" else w**0.5
                total += w * through(made.position(int(shape.position[edge])), of(child))
        return total

    def of(number: int) -> Tensor:
        name = shape.modules[int(shape.module[number])]
        x = objects.attributes[number]
        e1 = torch.eye(1, made.dimension, dtype=x.dtype)[0]
        own = half * made.attribute(name).apply(x) + half * made.signature(name).apply(e1)
        pair = half * through(made.position(0), own) + half * through(made.position(1), weighted(number))
        return through(made.object(name), pair)

    return weighted(OUTPUT)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_all_scenes_at_once_are_what_the_recursion_says(kind: str, scale: str) -> None:
    shape = random_graphs(12, seed=1)
    objects = Objects(shape, attributes(len(shape.module), 10, 0).double())
    made = Matrices(kind, 64, 3)
    batched = sketch(objects, made, scale)
    one_by_one = torch.stack([plain(objects, made, scale, scene) for scene in range(12)])
    torch.testing.assert_close(batched, one_by_one, rtol=1e-6, atol=1e-7)


def test_random_graphs_have_what_they_are_drawn_for() -> None:
    shape = random_graphs(12, seed=1)
    parents = torch.bincount(shape.child)
    assert parents.max() > 1
    assert len(shape.levels.objects) > 3
    twice = Counter(zip(shape.scene.tolist(), shape.module.tolist(), strict=True)).most_common(1)
    assert twice[0][1] > 1


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_down_is_the_adjoint_of_up(kind: str, scale: str) -> None:
    shape, made = random_graphs(6, seed=2), Matrices(kind, 64, 0)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(len(shape.module), 8, generator=draw, dtype=torch.float64)
    y = torch.randn(6, 50, generator=draw, dtype=torch.float64)
    nothing = x.new_zeros(len(x))
    left = (up(shape, x, nothing, made, scale)[:, :50] * y).sum()
    right = (x * down(y, shape, made, scale, 8)).sum()
    torch.testing.assert_close(left, right)


def words(shape: Structure, scale: str, target: int) -> Counter:
    """Every word of matrices that an object's attributes are multiplied by in its scene's sketch, brute force."""
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
def test_coefficients_and_norms_are_those_of_the_expansion(scale: str) -> None:
    shape = random_graphs(5, seed=4, modules=2)
    expanded = [words(shape, scale, number) for number in range(len(shape.module))]
    identity = torch.tensor([terms["x",] for terms in expanded])
    squares = torch.tensor([sum(value**2 for value in terms.values()) for terms in expanded])
    torch.testing.assert_close(coefficients(shape, scale), identity)
    torch.testing.assert_close(squared_norms(shape, scale), squares)


def test_norms_are_what_columns_measure() -> None:
    """At d = 4,096, the mean over columns is within a few per cent."""
    shape, made = binary_tree(modules=1), Matrices("hadamard", 4096, 0)
    sizes = []
    for number in range(7):
        x = torch.zeros(7, 16)
        draw = torch.Generator().manual_seed(number)
        x[number] = torch.randint(0, 2, (16,), generator=draw).float() * 2 - 1
        sizes.append(float(up(shape, x, torch.zeros(7), made, "isometric").square().sum()) / 16)
    torch.testing.assert_close(torch.tensor(sizes), squared_norms(shape, "isometric"), rtol=0.15, atol=0.0)


def test_equal_words() -> None:
    """ "aa" holds 1, a twice, aa: 1 + 4 + 1 pairs; "ab" and "ba" share 1, a, b; -1 is no letter."""
    left = torch.tensor([[0, 0], [0, 1], [0, -1], [0, 1]])
    right = torch.tensor([[0, 0], [1, 0], [0, -1], [2, 3]])
    assert equal_words(left, right).tolist() == [6, 3, 2, 1]


@pytest.mark.parametrize("scale", SCALES)
def test_rate_is_the_coefficient_without_weights(scale: str) -> None:
    found = coefficients(binary_tree(), scale)
    for number, depth in ((0, 1), (1, 2), (5, 3)):
        weight = 0.5 ** (depth - 1)
        assert float(found[number]) == pytest.approx(rate(depth, scale) * (weight if scale == "paper" else weight**0.5))


def test_flat_sketch_sums_what_objects_add() -> None:
    shape, made = random_graphs(6, seed=3), Matrices("hadamard", 64, 0)
    objects = sketched(shape, 8, 0)
    weight = flat.coefficients(shape, "paper")
    whole = torch.zeros(6, 64)
    for number, x in enumerate(objects.attributes):
        name = shape.modules[int(shape.module[number])]
        whole[shape.scene[number]] += weight[number] * made.attribute(name).apply(x)
    torch.testing.assert_close(flat.sketch(objects, made, "paper"), whole)


def test_effective_weights_of_a_tree() -> None:
    assert flat.coefficients(binary_tree(), "paper").tolist() == [1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]


def test_an_empty_scene_is_zeros() -> None:
    one = binary_tree()
    shape = Structure(one.modules, one.module, one.scene, one.parent, one.child, one.position, one.weight, 2)
    made = sketch(sketched(shape, 8, 0), Matrices("hadamard", 64, 0), "paper")
    assert made[0].abs().sum() > 0
    assert torch.equal(made[1], torch.zeros(64))


def test_attributes_wider_than_a_sketch_are_refused() -> None:
    with pytest.raises(UsageError, match="dimension 64 cannot hold attributes of 65"):
        sketch(sketched(binary_tree(), 65, 0), Matrices("hadamard", 64, 0), "paper")
