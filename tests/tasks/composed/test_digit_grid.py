"""Digits on a grid: what the task says is in a scene is what lies there."""

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.tasks.composed.digit_grid import DigitGrid


def grid(**more):
    plain = {"source": "digits", "rows": 3, "columns": 4, "empty": 0.4, "repeats": 4, "batch": 16, "data_seed": 0}
    return DigitGrid(**plain | {"order": 0} | more)


def cells(image, task):
    side = task.side
    return image[:, 0].unfold(1, side, side).unfold(2, side, side).flatten(1, 2)


def test_the_truth_is_what_lies_in_the_cells():
    task = grid()
    batch = task.batch("test", 0)
    scene, seen = task.scenes(batch), cells(batch.inputs[0], task)
    there = seen.flatten(2).amax(2) > 0
    assert torch.equal(there, scene.classes >= 0)
    singles, classes = task.sources(batch)
    assert torch.equal(classes, scene.classes)
    assert torch.equal(singles.amax(1), batch.inputs[0])
    wanted = torch.zeros(len(batch), 11).scatter_(1, classes.where(there, 10), 1.0)[:, :10]
    assert torch.equal(batch.target, wanted)


def test_no_scene_is_empty_and_so_many_cells_are():
    task = grid(empty=0.7)
    scenes = [task.scenes(task.batch("test", index)).classes for index in range(task.size("test"))]
    there = torch.cat(scenes) >= 0
    assert there.any(1).all()
    share, cell_count = there.float().mean(), there.shape[1]
    wanted = 1 / cell_count + (1 - 1 / cell_count) * 0.3
    assert abs(share - wanted) < 4 * (wanted * (1 - wanted) / there.numel()) ** 0.5 * 1.5


def test_scenes_of_test_are_functions_of_the_data_seed_alone():
    one, other = grid(), grid(order=5)
    assert torch.equal(one.batch("test", 0).inputs[0], other.batch("test", 0).inputs[0])
    assert not torch.equal(one.batch("test", 0).inputs[0], grid(data_seed=1).batch("test", 0).inputs[0])


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"empty": 1.0}, {"empty": -0.1}, {"source": "letters"}])
def test_wrong_numbers_are_told(wrong):
    with pytest.raises(UsageError):
        grid(**wrong)
