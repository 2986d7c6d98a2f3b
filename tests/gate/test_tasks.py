"""Per task, at the smoke size of its first recipe: batches fit the spec and are a function of their index."""

from dataclasses import fields

import pytest
import torch
from helpers.gate import same
from helpers.recipes import TASKS, build_new_task, build_task, skip_if_not_fetched, smoke_config

from dlcli.core.errors import Missing
from dlcli.core.spec import Classes, Labels, Real
from dlcli.core.task import SupervisedTask

SPLITS = ("train", "valid", "test")
IGNORED = -100


@pytest.fixture(scope="module", params=TASKS)
def config(request):
    """The configuration of the first recipe whose data are installed."""
    missing = None
    for recipe in TASKS[request.param]:
        try:
            smoke = smoke_config(recipe)
            build_task(smoke)
        except Missing as error:
            missing = missing or error
            continue
        return smoke
    return skip_if_not_fetched(missing)


def test_batches_fit_the_spec(config):
    task = build_task(config)
    for split in SPLITS:
        for index in {0, task.size(split) - 1}:
            batch = task.batch(split, index)
            assert batch.first.dtype == torch.bool
            assert batch.index.dtype == torch.int64
            if not isinstance(task, SupervisedTask):
                check_episodes(task, split, batch)
                continue
            for part, values in zip(task.spec.inputs, batch.inputs, strict=True):
                check_part(part, values, len(batch))
                assert values.isfinite().all()
            check_part(task.spec.target, batch.target, len(batch))


def check_episodes(task, split, batch):
    """The batch of an environment: distinct episode seeds that no other split contains."""
    assert batch.inputs == ()
    seeds = {*batch.target.tolist()}
    assert len(seeds) == len(batch) > 0
    for other in SPLITS:
        if other != split:
            assert not seeds & {*task.batch(other, 0).target.tolist()}


def check_part(part, values, rows):
    """Shape, type and range; NaN and -100 in a target mark positions that do not count."""
    assert values.shape[0] == rows
    if isinstance(part, Labels):
        assert values.dtype == torch.float32
        assert values.shape[1:] == (part.count,)
        assert ((values >= 0) & (values <= 1)).all()
        return
    assert len(values.shape) == 1 + len(part.shape)
    assert all(length in (None, size) for length, size in zip(part.shape, values.shape[1:], strict=True))
    if isinstance(part, Real):
        assert values.dtype == torch.float32
        assert values.isfinite().any()
        assert not values.isinf().any()
    else:
        assert isinstance(part, Classes)
        assert values.dtype == torch.int64
        counted = values[values != IGNORED]
        assert counted.numel()
        assert 0 <= int(counted.min()) <= int(counted.max()) < part.count


def test_batches_are_a_function_of_their_index(config):
    task, other = build_task(config), build_new_task(config)
    for split in SPLITS:
        last = task.size(split) - 1
        first, end = task.batch(split, 0), task.batch(split, last)
        assert equal(other.batch(split, last), end)
        assert equal(other.batch(split, 0), first)
        assert equal(task.batch(split, 0), first)


def equal(left, right):
    return all(same(getattr(left, field.name), getattr(right, field.name)) for field in fields(left))
