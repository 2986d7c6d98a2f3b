"""Data specification: widths, positions, descriptions, comparison by field."""

import dataclasses

import pytest
import torch

from dlcli.core.errors import Mismatch
from dlcli.core.spec import Classes, Labels, Nothing, Places, Real, Spec, mismatches


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
        (Nothing(), 0, ()),
        (Places(7), 7, ()),
        (Places(7, (4,)), 7, (4,)),
        (Places(7, (None,), source=1), 7, (None,)),
    ],
)
def test_width_and_positions(part, width, positions):
    assert (part.width, part.positions) == (width, positions)


@pytest.mark.parametrize(
    ("target", "per_step"),
    [
        (Real((1,)), False),
        (Classes(9), False),
        (Real((88, None)), True),
        (Classes(9, (7,)), True),
        (Nothing(), False),
        (Places(None, (None,)), True),
    ],
)
def test_per_step_is_true_for_one_target_per_step(target, per_step):
    assert Spec((Real((2, 7)),), target).per_step is per_step


def test_spec_str_is_its_description():
    spec = Spec((Real((1, None)), Classes(5, (3,))), Classes(10))
    assert spec.describe() == "Real(1, any), Classes(5, shape (3)) -> Classes(10)"


def test_spec_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Spec((Real((1,)),), Classes(2)).target = Classes(3)


def test_places_of_variable_number_have_no_width():
    with pytest.raises(Mismatch) as error:
        _ = Places(None).width
    assert error.value.code == "mismatch"
    assert error.value.fields["got"] == "Places(any)"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Spec((Real((2,)),), Nothing()), "Real(2) -> Nothing"),
        (Spec((Real((2, None)),), Places(None, (None,))), "Real(2, any) -> Places(any, shape (any))"),
        (Spec((Real((2, 9)), Places(9)), Places(9, source=1)), "Real(2, 9), Places(9) -> Places(9)"),
        (Spec((Real((1, 4, 4)),), Labels(3)), "Real(1, 4, 4) -> Labels(3)"),
    ],
)
def test_spec_describes_every_kind_of_part(spec, text):
    assert spec.describe() == text


def test_fields_ignore_lengths():
    short, long = Spec((Real((2, 9)),), Places(9, (3,))), Spec((Real((2, None)),), Places(None, (None,)))
    assert mismatches(short.fields(), long.fields()) == {}


@pytest.mark.parametrize(
    ("other", "name", "got"),
    [
        (Spec((Real((3, 9)),), Nothing()), "input 0", "Real of width 3 with 1 further axes"),
        (Spec((Real((2, 9)), Places(9)), Nothing()), "input 1", "Places with 0 further axes"),
        (Spec((Real((2, 9)),), Places(9)), "target", "Places with 0 further axes"),
        (Spec((Real((2, 9)),), Nothing(), {"words": torch.zeros(1)}), "given", "['words']"),
    ],
)
def test_mismatches_name_the_field_that_differs(other, name, got):
    expected = Spec((Real((2, 9)),), Nothing()).fields()
    differences = mismatches(expected, other.fields())
    assert list(differences) == [name]
    assert differences[name][1] == got
