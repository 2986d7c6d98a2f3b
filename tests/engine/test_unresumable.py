"""A learner that does not save all of its state: its runs are refused, and jobs of it begin anew."""

import json

import pytest

from dlcli.core.errors import Unresumable
from dlcli.core.executor import Job
from dlcli.engine.options import Options
from dlcli.engine.resume import resume
from dlcli.launch.job import packed
from dlcli.launch.run_job import perform
from dlcli.learners.gradient.gradient import Gradient

WORDS = (
    "task=adding", "task.length=8", "task.train=16", "task.valid=8", "task.test=8", "task.batch=8", "model=elman",
    "model.hidden=3", "steps=4", "threads=1", "device=cpu",
)  # fmt: skip


def job(options, run=None):
    return Job("train", WORDS, packed(options), run)


@pytest.fixture
def done(tmp_path):
    options = Options(out=tmp_path, quiet=True)
    report = perform(job(options), lambda news: None)
    assert report.exit_code == 0, report.error
    return options, report.run


def test_it_is_refused_in_one_sentence_and_nothing_is_touched(done, monkeypatch):
    options, run = done
    monkeypatch.setattr(Gradient, "resumable", False, raising=False)
    with open(f"{run}/run.json") as file:
        before = json.load(file)
    with pytest.raises(Unresumable, match="cannot be resumed: Gradient runs a library") as error:
        resume(run, ["steps=8"], options)
    assert "\n" not in str(error.value)
    with open(f"{run}/run.json") as file:
        assert json.load(file) == before


def test_others_go_on(done):
    options, run = done
    assert resume(run, ["steps=8"], options).info["steps"] == 8


def test_a_job_whose_worker_died_begins_anew(done, monkeypatch):
    options, run = done
    with open(f"{run}/run.json") as file:
        info = json.load(file)
    with open(f"{run}/run.json", "w") as file:
        json.dump({**info, "status": "preempted"}, file)
    monkeypatch.setattr(Gradient, "resumable", False, raising=False)
    report = perform(job(options, run), lambda news: None)
    assert report.exit_code == 0, report.error
    assert report.run != run
