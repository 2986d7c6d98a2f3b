"""Placed digits: the digits themselves without changes, within their ranges with them."""

import pytest
import torch
from helpers.errors import usage_error

from dlcli.core.spec import Classes, Real
from dlcli.tasks.composed.glyphs import load_glyphs
from dlcli.tasks.composed.placed_digits import PlacedDigits

COMMON = {
    "source": "digits",
    "canvas": 16,
    "rotation": 0.0,
    "scale": [1.0, 1.0],
    "shear": 0.0,
    "shift": None,
    "clutter": 0,
    "clutter_size": 4,
    "test": None,
    "repeats": 1,
    "batch": 64,
    "data_seed": 0,
    "order": 0,
}
GLYPHS = load_glyphs("digits")


def placed(**changed):
    return PlacedDigits(**{**COMMON, **changed})


def whole(task, split, epoch=0):
    size = task.size(split)
    parts = [task.batch(split, epoch * size + index) for index in range(size)]
    order = torch.cat([part.index for part in parts]).argsort()
    return torch.cat([part.inputs[0] for part in parts])[order], torch.cat([part.target for part in parts])[order]


def corners(images):
    """Row and column of the one place where each glyph of `test` lies, found by trying all of them."""
    room = images.shape[-1] - 8 + 1
    windows = images.unfold(2, 8, 1).unfold(3, 8, 1)[:, 0]
    error = (windows - GLYPHS["test"].pixels[:, 0, None, None]).abs().amax((3, 4)).flatten(1)
    assert error.amin(1).max() < 1e-4
    return torch.stack((error.argmin(1) // room, error.argmin(1) % room), 1)


def test_a_canvas_of_the_digits_size_without_changes_gives_the_digits():
    task = placed(canvas=8)
    assert (task.spec.inputs, task.spec.target) == ((Real((1, 8, 8)),), Classes(10))
    for split in ("train", "valid", "test"):
        x, y = whole(task, split)
        torch.testing.assert_close(x, GLYPHS[split].pixels, atol=2e-6, rtol=0)
        assert torch.equal(y, GLYPHS[split].labels)


@pytest.mark.parametrize(("shift", "low", "high"), [(None, 0, 8), (2, 2, 6), (0, 4, 4)])
def test_a_moved_digit_is_whole_and_within_its_range(shift, low, high):
    x, _ = whole(placed(shift=shift), "test")
    torch.testing.assert_close(x.sum((1, 2, 3)), GLYPHS["test"].pixels.sum((1, 2, 3)), atol=1e-3, rtol=0)
    found = corners(x)
    assert found.min() == low
    assert found.max() == high


def test_training_images_are_drawn_anew_by_epoch_and_not_by_batch():
    changes = {"rotation": 30.0, "scale": [0.8, 1.2], "clutter": 2}
    one, other = placed(**changes), placed(**changes, batch=17)
    for epoch in (0, 2):
        torch.testing.assert_close(whole(one, "train", epoch)[0], whole(other, "train", epoch)[0])
    assert (whole(one, "train", 0)[0] != whole(one, "train", 1)[0]).flatten(1).any(1).float().mean() > 0.99
    assert torch.equal(whole(one, "test")[0], whole(placed(**changes, order=3), "test")[0])
    assert not torch.equal(whole(one, "test")[0], whole(placed(**changes, data_seed=3), "test")[0])


def test_test_may_have_ranges_of_its_own():
    plain, warped = placed(), placed(test={"rotation": 20.0, "scale": [0.8, 1.2], "shear": 0.2})
    for split in ("train", "valid"):
        assert torch.equal(whole(plain, split)[0], whole(warped, split)[0])
    assert not torch.equal(whole(plain, "test")[0], whole(warped, "test")[0])
    moved = placed(shift=0, test={"shift": None})
    assert corners(whole(moved, "test")[0]).max() == 8


def test_scale_and_rotation_span_their_ranges():
    ink = GLYPHS["test"].pixels.sum((1, 2, 3))
    x, _ = whole(placed(canvas=32, scale=[0.5, 2.0], shift=0), "test")
    factor = (x.sum((1, 2, 3)) / ink).sqrt()
    assert factor.min() == pytest.approx(0.5, abs=0.1)
    assert factor.max() == pytest.approx(2.0, abs=0.1)
    assert factor.mean() == pytest.approx(1.25, abs=0.08)
    turned, _ = whole(placed(canvas=16, rotation=180.0, shift=0), "test")
    assert (turned - whole(placed(shift=0), "test")[0]).abs().mean() > 0.05


def test_clutter_adds_pieces_and_takes_nothing_away():
    plain, cluttered = whole(placed(canvas=24), "test")[0], whole(placed(canvas=24, clutter=3), "test")[0]
    assert (cluttered >= plain).all()
    added = cluttered * (plain == 0)
    assert (added.flatten(1) > 0).sum(1).max() <= 3 * 4 * 4
    assert (added.flatten(1) > 0).any(1).float().mean() > 0.95
    counts = (added > 0).float().mean(0)[0]
    assert counts.min() >= 0
    assert (counts > 0).float().mean() > 0.95  # pieces lie anywhere


def test_samples_are_made_on_the_device_that_holds_the_digits():
    task = placed(clutter=2).to(torch.device("meta"))
    for split in ("train", "test"):
        batch = task.batch(split, 0)
        assert batch.inputs[0].device.type == batch.target.device.type == "meta"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"canvas": 7}, {"code": "invalid_value", "key": "task.canvas", "got": 7}),
        ({"scale": [1.2, 0.8]}, {"code": "invalid_value", "key": "task.scale", "got": "[1.2, 0.8]"}),
        ({"scale": [1.0]}, {"code": "invalid_value", "key": "task.scale", "got": "[1.0]"}),
        ({"scale": [0.0, 1.0]}, {"code": "invalid_value", "key": "task.scale", "got": "[0.0, 1.0]"}),
        ({"rotation": -1.0}, {"code": "invalid_value", "key": "task.rotation", "got": -1.0}),
        ({"shift": -1}, {"code": "invalid_value", "key": "task.shift", "got": -1}),
        ({"clutter": -1}, {"code": "invalid_value", "key": "task.clutter", "got": -1}),
        ({"clutter_size": 9}, {"code": "invalid_value", "key": "task.clutter_size", "got": 9}),
        ({"repeats": 0}, {"code": "invalid_value", "key": "task.repeats", "got": 0}),
        ({"source": "mist"}, {"code": "invalid_value", "key": "task.source"}),
        ({"test": {"rotate": 1.0}}, {"code": "unknown_name", "name": "rotate"}),
        ({"test": {"rotation": "far"}}, {"code": "invalid_value", "key": "task.test.rotation", "got": "far"}),
        ({"test": {"scale": ["a", 1.0]}}, {"code": "invalid_value", "key": "task.test.scale", "got": "['a', 1.0]"}),
        ({"test": {"scale": [1.0]}}, {"code": "invalid_value", "key": "task.test.scale", "got": "[1.0]"}),
        ({"test": {"scale": 1.0}}, {"code": "invalid_value", "key": "task.test.scale", "got": 1.0}),
        ({"test": {"shift": [1]}}, {"code": "invalid_value", "key": "task.test.shift", "got": "[1]"}),
        ({"test": {"shear": -0.5}}, {"code": "invalid_value", "key": "task.test.shear", "got": -0.5}),
    ],
)
def test_what_is_wrong_is_said(changes, expected):
    with usage_error(**expected):
        placed(**changes)
