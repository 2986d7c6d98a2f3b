"""What is no structure, or no attributes, is refused in words."""

import pytest
import torch
from made_scenes import bag, binary_tree, structure

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, joined, number_of, split_signs


def test_heights_and_groups() -> None:
    levels = binary_tree(modules=2).levels
    assert [[(name, which.tolist()) for name, which in groups] for groups in levels.objects] == [
        [(0, [4, 6]), (1, [3, 5])],
        [(0, [2]), (1, [1])],
        [(0, [0])],
    ]
    assert [[(place, edges.tolist()) for place, edges in groups] for groups in levels.edges] == [
        [],
        [(0, [3, 5]), (1, [4, 6])],
        [(0, [1]), (1, [2])],
    ]
    assert [(place, edges.tolist()) for place, edges in levels.outputs] == [(0, [0])]


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.5), (0, 1, 0, 1.0), (1, 0, 0, 1.0)], "in a cycle, among modules a, b"),
        ([(OUTPUT, 0, 0, 1.0)], "nothing reads object 1 of module b"),
        ([(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.4)], "sum to 1, not 0.9"),
        ([(OUTPUT, 0, 0, 1.5), (OUTPUT, 1, 1, -0.5)], "at least 0"),
        ([(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 0, 0.5)], "the same position"),
        ([(OUTPUT, 0, 0, 1.0), (2, 1, 0, 1.0)], r"a parent is a number in \[-1, 2\), not 2"),
        ([(OUTPUT, 0, 0, 1.0), (0, 1, -1, 1.0)], "a position is a number"),
        ([(OUTPUT, 0, 0, 1.0), (0, 1, 0, float("nan"))], "at least 0"),
    ],
)
def test_no_structure(edges: list, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        structure(("a", "b"), [0, 1], [0, 0], edges)


def test_unknown_module_and_scene() -> None:
    with pytest.raises(UsageError, match=r"a module is a number in \[0, 2\), not 2"):
        structure(("a", "b"), [0, 2], [0, 0], [(OUTPUT, 0, 0, 0.5), (OUTPUT, 1, 1, 0.5)])
    with pytest.raises(UsageError, match="another scene"):
        structure(("a", "b"), [0, 1], [0, 1], [(OUTPUT, 0, 0, 1.0), (0, 1, 0, 1.0)])


def test_the_nearest_module_is_named() -> None:
    assert number_of("three", ("two", "three")) == 1
    with pytest.raises(UsageError, match=r'no module "tree" .did you mean "three"'):
        number_of("tree", ("two", "three"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (torch.tensor([[1.0, 0.0]]), "2 objects have 2 rows"),
        (torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), "at least 0: split_signs"),
        (torch.tensor([[1.0, 0.0], [float("nan"), 0.0]]), "at least 0"),
        (torch.tensor([[1.0, 0.0], [3.0, 4.0]]), "not 5: split_signs"),
    ],
)
def test_no_attributes(rows: torch.Tensor, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Objects(bag([0, 0], [0, 0], 1), rows)


def test_split_signs() -> None:
    raw = torch.tensor([[3.0, -4.0], [0.0, 0.0]])
    parts, length = split_signs(raw)
    torch.testing.assert_close(parts, torch.tensor([[0.6, 0.0, 0.0, 0.8], [0.0, 0.0, 0.0, 0.0]]))
    assert length.tolist() == [5.0, 0.0]
    torch.testing.assert_close(joined(parts) * length.unsqueeze(1), raw)
    Objects(bag([0, 0], [0, 0], 1), parts)


def test_it_is_said_that_signs_are_split(caplog):
    with caplog.at_level("INFO", "dlcli"):
        split_signs(torch.ones(2, 3))
        assert not caplog.messages
        split_signs(-torch.ones(2, 3))
    assert "positive and negative parts" in caplog.text
