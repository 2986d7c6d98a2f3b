"""Validation of object graphs and attributes."""

import pytest
import torch
from made_scenes import bag, binary_tree, structure

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, index_of_module, join_signs, split_signs


def test_levels_of_a_binary_tree() -> None:
    levels = binary_tree(modules=2).levels
    assert [[(name, objects.tolist()) for name, objects in groups] for groups in levels.objects] == [
        [(0, [4, 6]), (1, [3, 5])],
        [(0, [2]), (1, [1])],
        [(0, [0])],
    ]
    assert [[(position, edges.tolist()) for position, edges in groups] for groups in levels.edges] == [
        [],
        [(0, [3, 5]), (1, [4, 6])],
        [(0, [1]), (1, [2])],
    ]
    assert [(position, edges.tolist()) for position, edges in levels.outputs] == [(0, [0])]


@pytest.mark.parametrize(
    ("edges", "problem"),
    [
        (
            [(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.5), (0, 1, 0, 1.0), (1, 0, 0, 1.0)],
            "cycle among objects of modules a, b",
        ),
        ([(OUTPUT, 0, 0, 1.0)], "object 1 of module b has no parent"),
        ([(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.4)], "sum to 0.9"),
        ([(OUTPUT, 0, 0, 1.5), (OUTPUT, 1, 1, -0.5)], "negative"),
        ([(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 0, 0.5)], "the same position"),
        ([(OUTPUT, 0, 0, 1.0), (0, 1, 0, float("nan"))], "negative"),
    ],
)
def test_structure_rejects_invalid_graph(edges: list, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        structure(("a", "b"), [0, 1], [0, 0], edges)
    assert error.value.code == "invalid_graph"
    assert problem in error.value.fields["problem"]


@pytest.mark.parametrize(
    ("module", "edges", "key", "got"),
    [
        ([0, 1], [(OUTPUT, 0, 0, 1.0), (2, 1, 0, 1.0)], "parent", 2),
        ([0, 1], [(OUTPUT, 0, 0, 1.0), (0, 1, -1, 1.0)], "position", -1),
        ([0, 2], [(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.5)], "module", 2),
    ],
)
def test_structure_rejects_index_out_of_range(module: list, edges: list, key: str, got: int) -> None:
    with pytest.raises(UsageError) as error:
        structure(("a", "b"), module, [0, 0], edges)
    assert (error.value.code, error.value.fields["key"], error.value.fields["got"]) == ("invalid_value", key, got)


def test_structure_rejects_edge_between_scenes() -> None:
    with pytest.raises(UsageError) as error:
        structure(("a", "b"), [0, 1], [0, 1], [(OUTPUT, 0, 0, 1.0), (0, 1, 0, 1.0)])
    assert error.value.code == "invalid_graph"


def test_index_of_module() -> None:
    assert index_of_module("three", ("two", "three")) == 1
    with pytest.raises(UsageError) as error:
        index_of_module("tree", ("two", "three"))
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "tree")


@pytest.mark.parametrize(
    ("rows", "must"),
    [
        (torch.tensor([[1.0, 0.0]]), "2 rows, one per object"),
        (torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), "non-negative"),
        (torch.tensor([[1.0, 0.0], [float("nan"), 0.0]]), "non-negative"),
        (torch.tensor([[1.0, 0.0], [3.0, 4.0]]), "rows of length 1 or 0"),
    ],
)
def test_objects_reject_attributes(rows: torch.Tensor, must: str) -> None:
    with pytest.raises(UsageError) as error:
        Objects(bag([0, 0], [0, 0], 1), rows)
    assert (error.value.fields["key"], error.value.fields["must"]) == ("attributes", must)


def test_split_signs() -> None:
    raw = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    parts, length = split_signs(raw)
    torch.testing.assert_close(parts, torch.tensor([[0.6, 0.0, 0.0, 0.8], [0.0, 0.0, 0.0, 0.0]]))
    assert length.tolist() == [5.0, 0.0]
    torch.testing.assert_close(join_signs(parts) * length.unsqueeze(1), raw)
    Objects(bag([0, 0], [0, 0], 1), parts)


def test_split_signs_is_logged(caplog):
    with caplog.at_level("INFO", "dlcli"):
        split_signs(torch.ones(2, 3))
        assert not caplog.messages
        split_signs(-torch.ones(2, 3))
    assert "positive and negative parts" in caplog.text
