"""Learners whose state cannot be saved completely: resuming is refused, and their jobs start again."""

import json

import pytest

from dlcli.core.errors import Unresumable
from dlcli.core.executor import Job
from dlcli.engine.options import Options
from dlcli.engine.resume import resume
from dlcli.launch.job import options_to_dict
from dlcli.launch.run_job import perform
from dlcli.learners.gradient.gradient import Gradient

OVERRIDES = (
    "task=adding", "task.length=8", "task.train=16", "task.valid=8", "task.test=8", "task.batch=8", "model=elman",
    "model.hidden=3", "steps=4", "threads=1", "device=cpu",
)  # fmt: skip


def job(options, run=None):
    return Job("train", OVERRIDES, options_to_dict(options), run)


@pytest.fixture
def done(tmp_path):
    options = Options(out=tmp_path, quiet=True)
    report = perform(job(options), lambda event: None)
    assert report.exit_code == 0, report.error
    return options, report.run


def test_resume_refuses_unresumable_learner_and_changes_nothing(done, monkeypatch):
    options, run = done
    monkeypatch.setattr(Gradient, "resumable", False, raising=False)
    with open(f"{run}/run.json") as file:
        before = json.load(file)
    with pytest.raises(Unresumable) as error:
        resume(run, ["steps=8"], options)
    assert error.value.code == "not_resumable"
    assert "Gradient" in error.value.fields["reason"]
    with open(f"{run}/run.json") as file:
        assert json.load(file) == before


def test_resume_continues_resumable_learner(done):
    options, run = done
    assert resume(run, ["steps=8"], options).info["steps"] == 8


def test_job_of_unresumable_learner_starts_again(done, monkeypatch):
    options, run = done
    with open(f"{run}/run.json") as file:
        info = json.load(file)
    with open(f"{run}/run.json", "w") as file:
        json.dump({**info, "status": "preempted"}, file)
    monkeypatch.setattr(Gradient, "resumable", False, raising=False)
    report = perform(job(options, run), lambda event: None)
    assert report.exit_code == 0, report.error
    assert report.run != run
