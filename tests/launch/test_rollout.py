"""Populations rated by workers: the same generations whoever rates them, and whoever dies."""

import os
import signal
import threading
import time

import pytest
import torch

from dlcli import launch
from dlcli.config import build, compose
from dlcli.core.errors import UsageError
from dlcli.core.executor import ignore_events
from dlcli.core.population import Genome
from dlcli.launch.rollout import DistributedRater, _rating, rate

WORDS = ["novelty", "learner.population=24", "learner.parents=4", "learner.candidates=3", "threads=1"]


@pytest.fixture(scope="module")
def config():
    (point,) = compose.expand("evolve", WORDS)
    return point.resolved()


@pytest.fixture(scope="module")
def alone(config):
    return generations(build.build(config, torch.device("cpu")).learner)


def generations(learner, count=3):
    """What some generations come to: every row, and the state that the next one begins with."""
    rows = [{name: value.item() for name, value in learner.step().values.items()} for _ in range(count)]
    return rows, learner.state_dict()


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one.nan_to_num(7e30), other.nan_to_num(7e30))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def shared(config, engine, jobs, folder, during=lambda executor: None):
    with launch.open_executor(engine, rate, jobs, ignore_events, folder) as executor:
        learner = build.build(config, torch.device("cpu")).learner
        learner.rater = DistributedRater(executor, config)
        during(executor)
        return generations(learner)


@pytest.mark.parametrize("jobs", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_number_of_workers_does_not_change_the_generations(config, alone, jobs, tmp_path):
    rows, state = shared(config, "local", jobs, tmp_path)
    assert rows == alone[0]
    assert same(state, alone[1])


@pytest.mark.slow
def test_killed_worker_does_not_change_the_generations(config, alone, tmp_path):
    killed = []

    def kill_one(executor):
        def kill():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                busy = [one for one in executor._workers if one.number is not None and one.process.pid]
                if busy:
                    time.sleep(0.05)
                    os.kill(busy[0].process.pid, signal.SIGKILL)
                    killed.append(busy[0].process.pid)
                    return
                time.sleep(0.005)

        threading.Thread(target=kill, daemon=True).start()

    rows, state = shared(config, "local", 2, tmp_path, kill_one)
    assert killed
    assert rows == alone[0]
    assert same(state, alone[1])


@pytest.mark.slow
def test_ray_does_not_change_the_generations(config, alone, tmp_path):
    pytest.importorskip("ray")
    rows, state = shared(config, "ray", 2, tmp_path)
    assert rows == alone[0]
    assert same(state, alone[1])


def test_jobs_contain_genomes_instead_of_parameters(config):
    """Bytes of a job for ten individuals, against those of their parameters."""
    import pickle

    sent = []

    class Recorder:
        def submit(self, job):
            sent.append(len(pickle.dumps(job.options["genomes"])))
            return 1

        def workers(self):
            return ("one",)

        def wait(self):
            raise IndexError

        def stop(self):
            return

    genomes = [Genome((number, number + 1, number + 2), (0.1, 0.1)) for number in range(10)]
    with pytest.raises(IndexError):
        DistributedRater(Recorder(), config).rate(genomes, {}, [0])
    assert sum(sent) < 1500


def test_errors_of_workers_are_raised():
    from dlcli.core.executor import JobResult

    with pytest.raises(UsageError) as error:
        _rating(JobResult(2, error="no such data"))
    assert error.value.code == "worker_failed"
    assert error.value.fields["text"] == "no such data"
    with pytest.raises(MemoryError):
        _rating(JobResult(4, error="out of memory"))
    with pytest.raises(RuntimeError, match="boom"):
        _rating(JobResult(1, error="boom"))
