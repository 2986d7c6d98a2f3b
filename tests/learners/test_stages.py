"""Stages: one learner after another on the same model."""

import os

import pytest
import torch
from helpers.lines import Lines, adam, gradient, lbfgs, network, player, sgd, through_file, values, weights
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.engine.fit import Plan, fit
from dlcli.engine.signals import Signals
from dlcli.learners.closure import Closure
from dlcli.learners.evolution.genetic import Genetic
from dlcli.learners.frozen import Frozen
from dlcli.learners.stages import Stage, Stages
from dlcli.runs.run import Run


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def by_gradient(**changes):
    return lambda model, task: gradient(model, task, **changes)


def by_lbfgs(model, task):
    return Closure(
        model, task, objective=player().objective, optimizer=lbfgs, parts=None, seed=3, precision="float32",
        compile=False,
    )  # fmt: skip


def stages(model, task=None, **named):
    named = named or {
        "first": Stage(learner=by_gradient(optimizer=adam, average=0.9), until={"steps": 3}),
        "second": Stage(learner=by_gradient(optimizer=sgd), until={"samples": 16}),
        "third": Stage(learner=by_lbfgs, until={"updates": 2}),
    }
    return Stages(model, task or Lines(), stages=named)


STEPS = 7  # of the three stages: 3 + 2 + 2


def test_stages_run_in_order_and_label_their_rows():
    learner = stages(network())
    rows, ends = [], []
    for _ in range(STEPS):
        assert not learner.finished
        rows.append(learner.step())
        ends.append(rows[-1].note)
    assert learner.finished
    assert [next(iter(row.values)).partition("_")[0] for row in rows] == ["first"] * 3 + ["second"] * 2 + ["third"] * 2
    assert ends[2] == "stage first (Gradient) finished: 3 steps, total 3\nstage second (Gradient) started"
    assert ends[6] == "stage third (Closure) finished: 2 steps, total 7"
    assert all(not note for number, note in enumerate(ends) if number not in (2, 4, 6))
    assert {*learner.counters} == {"updates", "batches", "samples", "evaluations"}
    table = learner.leave()["stages"]
    ends = [["first", "Gradient", 1, 3], ["second", "Gradient", 4, 5], ["third", "Closure", 6, 7]]
    assert list(table.rows) == [[*row, True] for row in ends]
    assert table.columns == ("stage", "learner", "first_step", "last_step", "finished")


def test_table_of_stages_has_a_row_for_an_unfinished_stage():
    learner = stages(network())
    assert learner.leave() == {}
    for _ in range(4):
        learner.step()
    assert list(learner.leave()["stages"].rows) == [
        ["first", "Gradient", 1, 3, True],
        ["second", "Gradient", 4, 4, False],
    ]


def test_stage_starts_from_the_averaged_weights_of_its_predecessor():
    model = network()
    learner = stages(model)
    for _ in range(2):
        learner.step()
    average = learner.model
    assert average is not model
    learner.step()
    assert torch.equal(weights(model), weights(average))
    assert learner.model is model


def test_steps_after_the_last_stage_are_those_of_its_learner():
    learner = stages(network())
    rows = [learner.step() for _ in range(STEPS + 2)]
    assert learner.finished
    assert set(rows[-1].values) == {"third_loss"}
    assert not rows[-1].note


@pytest.mark.parametrize("cut", range(1, STEPS))
def test_resume_is_bit_exact_in_each_stage(cut):
    whole, first, second = (stages(network()) for _ in range(3))
    expected = [whole.step() for _ in range(STEPS)]
    for _ in range(cut):
        first.step()
    second.load_state_dict(through_file(first.state_dict()))
    rows = [second.step() for _ in range(cut, STEPS)]
    assert [values(row) for row in rows] == [values(row) for row in expected[cut:]]
    assert [row.note for row in rows] == [row.note for row in expected[cut:]]
    assert torch.equal(weights(second.model), weights(whole.model))
    assert second.finished


class Silent:
    def tick(self, step, done, latest):
        pass

    def scored(self, step, split, means, best):
        pass


def engine(learner, run, until):
    task = Lines()
    return fit(learner, task, run, Plan(until, eval_every=2, log_every=1), Silent(), Signals())


@pytest.mark.parametrize("cut", [2, 3, 4, 6])
def test_resume_from_last_checkpoint_is_bit_exact(tmp_path, cut):
    whole = Run.create(tmp_path, "train", "stages", "")
    ending = engine(stages(network()), whole, {})
    assert (ending.status, ending.reason) == ("completed", "Stages finished")
    cut_run = Run.create(tmp_path, "train", "stages", "")
    engine(stages(network()), cut_run, {"steps": cut})
    cut_run.close()
    cut_run = Run.open(cut_run.path)
    engine(stages(network(seed=9)), cut_run, {})
    assert cut_run.info["steps"] == STEPS
    assert cut_run.info["counters"] == whole.info["counters"]
    files = ("metrics.csv", "artifacts/stages.csv")
    assert [(cut_run.path / name).read_text() for name in files] == [(whole.path / name).read_text() for name in files]
    states = [read_checkpoint(run.checkpoint_path("best"))["model"] for run in (cut_run, whole)]
    assert all(torch.equal(one, other) for one, other in zip(*(state.values() for state in states), strict=True))
    assert "stage first (Gradient) finished" in (whole.path / "log.txt").read_text()


def test_limit_of_the_run_ends_it_inside_a_stage(tmp_path):
    run = Run.create(tmp_path, "train", "stages", "")
    ending = engine(stages(network()), run, {"updates": 4})
    assert (run.info["steps"], ending.reason) == (4, "4 updates")


def test_greedy_layer_wise_training_moves_one_layer_per_stage():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 1))
    start = [weights(layer) for layer in model]
    learner = stages(
        model,
        lower=Stage(learner=by_gradient(parts=["0"]), until={"steps": 2}),
        upper=Stage(learner=by_gradient(parts=["1"], optimizer=adam), until={"steps": 2}),
    )
    for _ in range(2):
        learner.step()
    lower = weights(model[0])
    assert not torch.equal(lower, start[0])
    assert torch.equal(weights(model[1]), start[1])
    for _ in range(2):
        learner.step()
    assert torch.equal(weights(model[0]), lower)
    assert not torch.equal(weights(model[1]), start[1])


def test_learner_that_finishes_is_a_stage_without_limit():
    frozen = Stage(learner=Frozen, until=None)
    learner = stages(network(), before=frozen, after=Stage(learner=by_gradient(), until={"epochs": 1}))
    rows = [learner.step() for _ in range(8)]
    assert learner.finished
    assert rows[0].note.startswith("stage before (Frozen) finished: 1 steps")


@pytest.mark.parametrize(
    ("until", "code", "key"),
    [
        ({}, "required", "learner.stages.only.until"),
        (None, "required", "learner.stages.only.until"),
        ({"trials": 2}, "unknown_counter", "learner.stages.only.until.trials"),
        ({"seconds": 2}, "unknown_counter", "learner.stages.only.until.seconds"),
    ],
)
def test_stage_refuses_limits_that_do_not_end_it(until, code, key):
    with pytest.raises(UsageError) as error:
        stages(network(), only=Stage(learner=by_gradient(), until=until))
    assert (error.value.code, error.value.fields["key"]) == (code, key)


def test_stage_without_limit_names_its_own_key_and_counters():
    with pytest.raises(UsageError) as error:
        stages(network(), only=Stage(learner=by_gradient(), until=None))
    assert error.value.fields["hint"] == (
        "Set learner.stages.only.until={steps: N}. Counters: steps, epochs, updates, batches, samples."
    )


def test_stages_refuse_what_cannot_be_a_stage():
    with pytest.raises(UsageError) as error:
        Stages(network(), Lines(), stages={})
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "learner.stages")

    def population(model, task):
        from dlcli.learners.evolution.selection import Reward

        return Genetic(
            model, task, population=4, parents=2, sigma=0.1, score=Reward(), chunk=4, seed=0, candidates=1,
            elite_batches=1, output_std=0.1,
        )  # fmt: skip

    with pytest.raises(UsageError) as error:
        stages(network(), only=Stage(learner=population, until={"steps": 1}))
    assert error.value.code == "unsupported"

    other = stages(network(), other=Stage(learner=by_gradient(), until={"steps": 1}))
    with pytest.raises(Mismatch) as error:
        other.load_state_dict(stages(network()).state_dict())
    assert error.value.code == "mismatch"
