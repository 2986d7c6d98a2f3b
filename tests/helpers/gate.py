"""The contract of a learner as checks of any configuration: no check assumes a loss, a gradient or a parameter."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from dlcli.config.build import Built
from dlcli.engine.fit import evaluate

STEPS = 2
_SCORED_BATCHES = 3
_UNMEASURED = {"fitness_best"}  # infinite while no elite has been elected


@dataclass
class Subject:
    """A configuration under test and the record of one uninterrupted run of it.

    Args:
        build: builds it with a seed, from the start each time.
        seeded: whether the configuration contains a seed.
        built: the objects after `STEPS` steps.
        initial: model and learner state before the first step.
        rows: values and counts of each step.
        early: the learner's state after the first step, as a file's bytes.
        late: the learner's state after the last step.
    """

    build: Callable[[int], Built]
    seeded: bool
    built: Built
    initial: tuple[Any, Any]
    rows: list[tuple[dict[str, float], dict[str, int]]]
    early: bytes
    late: Mapping[str, Any]


def run_subject(build: Callable[[int], Built], *, seeded: bool) -> Subject:
    """Build with seed 0 and take `STEPS` steps."""
    built = build(0)
    initial = _state_of_model(built), _copied(built.learner.state_dict())
    rows = [step_row(built.learner)]
    file = io.BytesIO()
    torch.save(built.learner.state_dict(), file)
    rows += [step_row(built.learner) for _ in range(STEPS - 1)]
    return Subject(build, seeded, built, initial, rows, file.getvalue(), built.learner.state_dict())


def step_row(learner: Any) -> tuple[dict[str, float], dict[str, int]]:
    """Values and counts of one step."""
    row = learner.step()
    return {name: value.item() for name, value in row.values.items()}, dict(row.counts)


def check_finite(subject: Subject) -> None:
    """Every logged value and parameter is finite, and only announced counters are counted."""
    for values, counts in subject.rows:
        assert all(np.isfinite(value) for name, value in values.items() if name not in _UNMEASURED), values
        assert counts.keys() <= {*subject.built.learner.counters}
    for model in (subject.built.model, subject.built.learner.model):
        if model is not None:
            assert all(parameter.isfinite().all() for parameter in model.parameters())


def check_changes(subject: Subject) -> None:
    """A step changes the learner's state; one that counts updates changes the model."""
    model, learner = subject.initial
    assert not same(learner, subject.late)
    if model is not None and any(counts.get("updates") for _, counts in subject.rows):
        assert not same(model, _state_of_model(subject.built))


def check_other_seed(subject: Subject) -> None:
    """Another seed changes rows or state if and only if something is random."""
    other = subject.build(1)
    initial = _state_of_model(other), _copied(other.learner.state_dict())
    random = subject.seeded or not same(initial, subject.initial)
    rows = [step_row(other.learner)]
    if rows != subject.rows[:1] or not same(other.learner.state_dict(), _loaded(subject.early)):
        assert random
        return
    rows += [step_row(other.learner) for _ in range(STEPS - 1)]
    differs = rows != subject.rows or not same(other.learner.state_dict(), subject.late)
    assert differs == random


def check_same_seed_with_scoring(subject: Subject) -> None:
    """The same seed gives the same rows and state, and scoring before every step changes nothing."""
    built = subject.build(0)
    rows = []
    size = built.task.size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(built.task, "size", lambda split: size(split) if split == "train" else _few(size(split)))
        for _ in range(STEPS):
            if built.learner.model is not None:
                scores = [evaluate(built.learner.model, built.task, "valid") for _ in range(2)]
                assert scores[0] == scores[1]
                assert built.task.main.metric in scores[0]
            rows.append(step_row(built.learner))
    assert rows == subject.rows
    assert same(built.learner.state_dict(), subject.late)


def check_resume(subject: Subject) -> None:
    """Loading the state of a file and stepping equals never stopping, to the last bit."""
    learner = subject.build(0).learner
    learner.load_state_dict(_loaded(subject.early))
    assert [step_row(learner) for _ in range(STEPS - 1)] == subject.rows[1:]
    assert same(learner.state_dict(), subject.late)


def _loaded(file: bytes) -> Any:
    return torch.load(io.BytesIO(file), weights_only=True)


def _few(batches: int) -> int:
    return min(_SCORED_BATCHES, batches)


def _state_of_model(built: Built) -> Any:
    model = built.learner.model
    return None if model is None else _copied(model.state_dict())


def _copied(state: Any) -> Any:
    """A nest of tensors and plain values with its own storage."""
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [_copied(value) for value in state]
    return state


def same(left: Any, right: Any) -> bool:
    """True if two nests of tensors and plain values are equal to the last bit; NaN equals NaN."""
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and left.dtype == right.dtype and _equal(left, right)
    if isinstance(left, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right or (left != left and right != right))


def _equal(left: torch.Tensor, right: torch.Tensor) -> bool:
    if left.is_floating_point():
        left, right = left.nan_to_num(7e30), right.nan_to_num(7e30)
    return torch.equal(left, right)
