"""Single digits: partners of the same and of other classes."""

import pytest
import torch
from helpers.errors import usage_error

from dlcli.core.errors import UsageError
from dlcli.tasks.composed.glyphs import _sorted, load_glyphs
from dlcli.tasks.image.embedded_digits import digit_splits

FOUND = load_glyphs("digits")
TRAIN = FOUND["train"]
ROWS = torch.arange(len(TRAIN)).repeat(20)
INDEX = torch.arange(len(ROWS))


def test_they_are_the_digits_of_the_embedded_splits_and_none_is_in_two():
    for name, split in digit_splits(1, 8, 8).items():
        assert torch.equal(FOUND[name].images(torch.arange(len(split))), split.inputs[0])
        assert torch.equal(FOUND[name].labels, split.target)
    seen = [{tuple(image.flatten().tolist()) for image in split.pixels} for split in FOUND.values()]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 1797


def test_members_are_sorted_by_class_and_know_their_place():
    assert torch.equal(TRAIN.labels[TRAIN.members], TRAIN.labels.sort().values)
    assert torch.equal(TRAIN.members[TRAIN.offset[TRAIN.labels] + TRAIN.position], torch.arange(len(TRAIN)))


def test_the_same_is_another_glyph_of_the_class_and_all_of_them():
    other = TRAIN.same(ROWS, INDEX, 1)
    assert torch.equal(TRAIN.labels[other], TRAIN.labels[ROWS])
    assert (other != ROWS).all()
    assert len(other.unique()) == len(TRAIN)


def test_the_different_is_of_another_class_and_those_are_equally_likely():
    other = TRAIN.different(ROWS, INDEX, 1)
    assert (TRAIN.labels[other] != TRAIN.labels[ROWS]).all()
    assert len(other.unique()) == len(TRAIN)
    for label in range(10):
        counts = TRAIN.labels[other][TRAIN.labels[ROWS] == label].bincount(minlength=10)
        assert counts[label] == 0
        expected = counts.sum() / 9
        assert ((counts[counts > 0] - expected).abs() < 5 * expected.sqrt()).all()


def test_the_only_one_of_a_class_is_its_own_partner():
    few = _sorted("train", torch.zeros(10, 1, 2, 2), torch.arange(10).flip(0), 1.0)
    rows = torch.arange(10)
    assert torch.equal(few.same(rows, rows, 0), rows)
    assert (few.different(rows, rows, 0) != rows).all()


def test_bytes_are_read_as_values_up_to_one():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).repeat(10, 3, 1)[:, None]
    made = _sorted("train", pixels, torch.arange(10), 255.0)
    assert made.images(torch.tensor([[0, 3]]))[0, 1, 0, 0].tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_what_is_wrong_is_said():
    with pytest.raises(UsageError, match=r"task.source must be .* got 'digit'\ndid you mean \"digits\""):
        load_glyphs("digit")
    with usage_error("invalid_data", path="task.source"):
        _sorted("test", torch.zeros(9, 1, 2, 2), torch.tensor([0, 1, 2, 4, 5, 6, 7, 8, 9]), 1.0)
