"""Measured number of threads and its cache, estimated duration, recorded environment."""

import json
import os
import subprocess

import pytest
import torch

from dlcli.core.executor import Executor, Job, JobResult
from dlcli.core.learner import Row
from dlcli.core.metric import Goal
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Metrics, Score
from dlcli.engine import threads
from dlcli.launch import InProcessExecutor
from dlcli.runs import environment


class Clock:
    """A clock that only learners move."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


class Timed:
    """A learner whose step takes, by the clock, so many seconds with so many threads."""

    counters = ("samples", "batches")
    model = None

    def __init__(self, clock, seconds):
        self.clock, self.seconds, self.steps = clock, seconds, 0

    def step(self):
        self.steps += 1
        self.clock.now += self.seconds[torch.get_num_threads()]
        return Row({}, {"samples": 8, "batches": 2})

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        return None


@pytest.fixture
def clock(monkeypatch, tmp_path):
    """The clock, four cores, an empty cache; the number of threads is given back."""
    clock, before = Clock(), torch.get_num_threads()
    monkeypatch.setattr(threads.time, "perf_counter", clock.perf_counter)
    monkeypatch.setattr(threads, "available_cores", lambda: 4)
    monkeypatch.setattr(threads, "user_cache_path", lambda name: tmp_path / name)
    yield clock
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 1.0, 2: 0.5, 4: 0.3}, 4),
        ({1: 1.0, 2: 0.5, 4: 0.6}, 2),
        ({1: 1.0, 2: 0.95, 4: 3.5}, 1),  # a tenth is the least
        ({1: 1.0, 2: 2.0, 4: 4.0}, 1),
    ],
)
def test_best_threads_requires_a_speedup_of_10_percent(seconds, best, clock):
    assert threads.best_threads("signature", lambda: Timed(clock, seconds)) == best


def test_best_threads_is_cached_by_signature(clock, tmp_path):
    calls = []

    def make():
        calls.append(1)
        return Timed(clock, {1: 1.0, 2: 0.1, 4: 0.5})

    assert [threads.best_threads(name, make) for name in ("a", "a", "b", "a")] == [2, 2, 2, 2]
    assert len(calls) == 2
    assert list(json.loads((tmp_path / "dlcli" / "threads.json").read_text()).values()) == [2, 2]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": null}', '{"a": "x"}', '{"a": 0}', "\x00"])
def test_best_threads_ignores_a_damaged_cache(text, clock, tmp_path):
    (tmp_path / "dlcli").mkdir()
    (tmp_path / "dlcli" / "threads.json").write_text(text)
    assert threads.best_threads("a", lambda: Timed(clock, {1: 1.0, 2: 0.1, 4: 0.5})) == 2


def test_best_threads_ignores_invalid_cache_entries(clock, tmp_path):
    threads.best_threads("a", lambda: Timed(clock, {1: 1.0, 2: 0.1, 4: 0.5}))
    path = tmp_path / "dlcli" / "threads.json"
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), -1)))
    assert threads.best_threads("a", lambda: Timed(clock, {1: 1.0, 2: 0.5, 4: 0.1})) == 4


def test_best_threads_works_without_a_writable_cache(clock, tmp_path):
    (tmp_path / "dlcli").write_text("a file")
    assert threads.best_threads("a", lambda: Timed(clock, {1: 1.0, 2: 0.1, 4: 0.5})) == 2


def test_best_threads_of_one_core_is_not_measured(clock, monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 1)
    assert threads.best_threads("a", lambda: 1 / 0) == 1


def test_slow_steps_are_measured_once_per_number_of_threads(clock):
    learner = Timed(clock, {1: 10.0, 2: 10.0})
    threads.seconds_per_step(learner, [1, 2])
    assert learner.steps == 1 + 2


class Three:
    """Task of ten training batches whose evaluation takes three seconds of the fake clock."""

    spec, main, fitted = Spec((Real((1,)),), Real((1,))), Goal("mse", "min"), {}

    def __init__(self, clock):
        self.clock = clock

    def size(self, split):
        return 10 if split == "train" else 1

    def rows(self, split):
        return sum(len(self.batch(split, index)) for index in range(self.size(split)))

    def batch(self, split, index):
        x = torch.zeros(1, 1)
        return Batch((x,), x, torch.ones(1) > 0, index, 0, torch.zeros(1, dtype=torch.int64))

    def loss(self, model, batch, carry=None):
        raise NotImplementedError

    def metrics(self, model, batch, carry=None):
        self.clock.now += 3.0
        return Metrics({"mse": Score(torch.zeros(1), torch.ones(1))})

    def summary(self, means):
        return {}

    def to(self, device):
        return self


class Modelled(Timed):
    model = torch.nn.Identity()


@pytest.mark.parametrize(
    ("stops", "eval_every", "steps", "seconds"),
    [
        ([("steps", 100)], 10, 100, 100 * (0.5 + 3 / 10) + 6),
        ([("steps", 100)], None, 100, 100 * (0.5 + 3 / 5) + 6),  # an epoch is five steps of two batches
        ([("samples", 84)], 10, 11, 84 / 8 * (0.5 + 3 / 10) + 6),
        ([("steps", 100), ("samples", 80)], 10, 10, 10 * (0.5 + 3 / 10) + 6),
        ([("seconds", 20)], 10, None, 20),
        ([("seconds", 20), ("steps", 100)], 10, 100, 20),
    ],
)
def test_estimate_includes_steps_and_evaluations(stops, eval_every, steps, seconds, clock):
    torch.set_num_threads(1)
    estimate = threads.estimate(Modelled(clock, {1: 0.5}), Three(clock), stops, eval_every)
    assert estimate["steps"] == steps
    assert estimate["milliseconds_a_step"] == pytest.approx(500)
    assert estimate["seconds"] == pytest.approx(seconds)


def test_in_process_executor_keeps_the_order_of_submission():
    done = []

    def perform(job, tell):
        done.append(job.overrides)
        return JobResult(0, run=job.overrides[0])

    executor = InProcessExecutor(perform)
    assert isinstance(executor, Executor)
    numbers = [executor.submit(Job("train", (name,))) for name in "cab"]
    assert done == []
    assert [executor.wait() for _ in range(3)] == [
        (n, JobResult(0, run=name)) for n, name in zip(numbers, "cab", strict=True)
    ]
    assert done == [("c",), ("a",), ("b",)]
    with pytest.raises(IndexError):
        executor.wait()
    assert len(executor.workers()) == 1


def test_environment_is_json_serializable():
    facts, patches = environment.describe("cpu", 1)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["packages"]["torch"] == torch.__version__
    assert facts["cores"] == len(os.sched_getaffinity(0))
    assert facts["dirty"] is bool(patches)


def test_environment_ignores_the_commit_of_a_surrounding_repository(tmp_path, monkeypatch):
    """The commit of a repository that contains an installed dlcli does not identify its code."""
    code = tmp_path / ".venv" / "dlcli" / "runs" / "environment.py"
    code.parent.mkdir(parents=True)
    code.write_text("")
    (tmp_path / ".gitignore").write_text(".venv\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "theirs"]):
        try:
            subprocess.run([*git, *arguments], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"git is not available: {error}")
    monkeypatch.setattr(environment, "__file__", str(code))
    facts, patches = environment.describe("cpu", 1)
    assert (facts["commit"], facts["dirty"], patches) == (None, False, {})
    subprocess.run([*git, "add", "-f", str(code)], check=True)
    subprocess.run([*git, "commit", "-qm", "ours"], check=True)
    code.write_text("changed = True\n")
    facts, patches = environment.describe("cpu", 1)
    assert len(facts["commit"]) == 40
    assert facts["dirty"]
    assert "+changed = True" in patches["git.patch"]
