"""All that a model may know of the data."""

import dataclasses

import pytest

from dlcli.core.spec import Classes, Real, Spec


@pytest.mark.parametrize(
    ("part", "width", "positions"),
    [
        (Real((2, 600)), 2, (600,)),
        (Real((3, 32, 32)), 3, (32, 32)),
        (Real((88, None)), 88, (None,)),
        (Real((5,)), 5, ()),
        (Real(()), 1, ()),
        (Classes(10), 10, ()),
        (Classes(50, (20,)), 50, (20,)),
    ],
)
def test_width_and_positions(part, width, positions):
    assert (part.width, part.positions) == (width, positions)


@pytest.mark.parametrize(
    ("target", "per_step"),
    [(Real((1,)), False), (Classes(9), False), (Real((88, None)), True), (Classes(9, (7,)), True)],
)
def test_per_step_is_one_target_a_step(target, per_step):
    assert Spec((Real((2, 7)),), target).per_step is per_step


def test_it_is_described_in_words():
    spec = Spec((Real((1, None)), Classes(5, (3,))), Classes(10))
    assert spec.describe() == "Real(1, any), Classes(5, shape (3)) -> Classes(10)"


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Spec((Real((1,)),), Classes(2)).target = Classes(3)
