"""Several processes train as one with the whole batch would; they stay in step, and end with their leader."""

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import torch.distributed as dist
from torch import nn
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.metric import Goal
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Loss, Metrics, Score, call
from dlcli.learners.gradient.data_parallel import DistributedGroup, run_worker
from dlcli.learners.gradient.gradient import Gradient
from dlcli.learners.gradient.player import Player
from dlcli.learners.gradient.schedule import Constant, Plateau
from dlcli.runs import selectors

STEPS = 6


class Ragged:
    """Rows of different weight in batches of 5, 5 and 1 rows; the last two rows of the second batch weigh nothing."""

    spec = Spec((Real((4,)),), Real((1,)))
    main = Goal("mse", "min")
    fitted: ClassVar = {}

    def __init__(self):
        random = torch.Generator().manual_seed(0)
        self.x = torch.randn(15, 4, generator=random)
        self.weight = torch.randint(1, 9, (15,), generator=random).float()
        self.weight[8:10] = 0
        self.scored = 0

    def size(self, split):
        return 3

    def rows(self, split):
        return 11

    def batch(self, split, index):
        rows = torch.arange(15)[(slice(0, 5), slice(5, 10), slice(10, 11))[index % 3]]
        x = self.x[rows]
        first = torch.full((len(x),), index % 3 == 0)
        return Batch((x,), x.sum(1, keepdim=True), first, index, index // 3, rows)

    def loss(self, model, batch, carry=None):
        output, after = call(model, batch, carry)
        error, weight = (output - batch.target).square()[:, 0], self.weight[batch.index]
        value = (error * weight).sum() / weight.sum()
        return Loss(value, {"double": 2 * value.detach()}, weight.sum(), after)

    def metrics(self, model, batch, carry=None):
        self.scored += 1
        error = (call(model, batch, carry)[0] - batch.target).square()[:, 0]
        return Metrics({"mse": Score(error, torch.ones_like(error))})

    def summary(self, means):
        return {}

    def to(self, device):
        return self


class Even(Ragged):
    """All batches of 5 rows, of one stream."""

    def batch(self, split, index):
        rows = torch.arange(5) + 5 * (index % 3)
        return replace(super().batch(split, 0), inputs=(self.x[rows],), target=self.x[rows].sum(1, keepdim=True),
                       first=torch.full((5,), index % 3 == 0), index=rows.clamp(max=7))  # fmt: skip


class Plain(nn.Module):
    """Two layers, and a parameter that nothing uses."""

    def __init__(self):
        super().__init__()
        self.layers, self.idle = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)), nn.Linear(2, 2)

    def forward(self, x):
        return self.layers(x)


class Memory(nn.Module):
    """Adds up what it has seen."""

    def __init__(self):
        super().__init__()
        self.inner, self.out = nn.Linear(8, 4), nn.Linear(4, 1)

    def start(self, batch):
        return (torch.zeros(batch, 4), [torch.zeros(batch, 4)])

    def forward(self, x, carry=None):
        old, (older,) = self.start(len(x)) if carry is None else carry
        new = torch.tanh(self.inner(torch.cat((x, old + older), 1)))
        return self.out(new) if carry is None else (self.out(new), (new, [old]))


class Noisy(Plain):
    """Half of what it says is chance."""

    def forward(self, x):
        self.draw = torch.rand(len(x), 1)
        return self.layers(x) + self.draw


class Supervised:
    def __init__(self, task):
        self.task = task

    def __call__(self, model, batch, carry=None):
        return self.task.loss(model, batch, carry)


def player(**other):
    usual = {
        "objective": Supervised, "schedule": Constant(), "parts": None, "split": "train", "repeats": 1,
        "optimizer": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1), "accumulate": 1,
        "clip": None,
    }  # fmt: skip
    return Player(**(usual | other))


CASES = {
    "plain": (Ragged, Plain, {}),
    "accumulated": (Ragged, Plain, {"accumulate": 3}),
    "clipped": (Ragged, Plain, {"clip": 0.01}),
    "memory": (Even, Memory, {}),
    "watching": (Ragged, Plain, {"schedule": "plateau"}),
    "noisy": (Ragged, Noisy, {}),
}


def learner(case, devices):
    task, model, options = CASES[case]
    if options.get("schedule") == "plateau":
        options = {"schedule": Plateau(every=1, window=1, after=2, gamma=0.5)}
    torch.manual_seed(3 if devices == 1 else os.getpid())  # the leader's weights are everybody's
    made = task(), model()
    if devices > 1:
        torch.manual_seed(3)
        lead = model()
        made = (made[0], lead if dist.get_rank() == 0 else made[1])
    return made[0], Gradient(
        made[1],
        made[0],
        players={"model": player(**options)},
        seed=0,
        precision="float32",
        compile=False,
        devices=devices,
    )


def trained(task, made):
    """After every step: parameters, gradients and what was logged; at the end the state."""
    history = []
    for _ in range(STEPS):
        row = made.step()
        model = {name: value.detach().clone() for name, value in made.model.named_parameters()}
        gradients = {n: p.grad.clone() for n, p in made.model.named_parameters() if p.grad is not None}
        logged = {name: float(value) for name, value in row.values.items()}
        history.append({"model": model, "gradients": gradients, "logged": logged, "counts": dict(row.counts)})
    return {"history": history, "state": made.state_dict(), "scored": task.scored}


def rank(number, place):
    """What each of two processes does: every case, then one that goes on from the other number of devices."""
    os.dup2(os.open(f"{place}/{number}.err", os.O_CREAT | os.O_WRONLY), 2)
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group("gloo", store=dist.FileStore(f"{place}/store", 2), rank=number, world_size=2)
    found = {}
    for case in CASES:
        task, made = learner(case, 2)
        team = DistributedGroup(number, 2, torch.device("cpu"))
        made.join(team)
        if number == 0:
            found[case] = trained(task, made)
            if case == "memory":
                made.load_state_dict(torch.load(f"{place}/memory.pt", weights_only=True))
                found["resumed"] = trained(task, made)
            team.lead("end")
        else:
            run_worker(made, team)
            found[case] = {"scored": task.scored, "draw": getattr(made.model, "draw", None)}
        if number == 0 and case == "noisy":
            found[case]["draw"] = made.model.draw
    torch.save(found, f"{place}/{number}.pt")
    os._exit(0)


@pytest.fixture(scope="module")
def alone():
    return {case: trained(*learner(case, 1)) for case in CASES}


@pytest.fixture(scope="module")
def pair(tmp_path_factory, alone):
    """What two processes came to: (of the leader, of the other)."""
    place = tmp_path_factory.mktemp("pair")
    torch.save(alone["memory"]["state"], place / "memory.pt")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=rank, args=(number, str(place))) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(200)
    said = [(place / f"{number}.err").read_text()[-2000:] for number in range(2)]
    assert [process.exitcode for process in processes] == [0, 0], said
    return [torch.load(place / f"{number}.pt", weights_only=True) for number in range(2)]


def near(came, wanted):
    """The same names, and values to 1e-6."""
    assert set(came) == set(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(
            came[name], value, rtol=1e-6, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("case", ["plain", "accumulated", "clipped", "memory", "watching"])
def test_gradients_are_those_of_the_whole_batch(pair, alone, case):
    for came, wanted in zip(pair[0][case]["history"], alone[case]["history"], strict=True):
        near(came["gradients"], wanted["gradients"])
        near(came["model"], wanted["model"])
        assert came["counts"] == wanted["counts"]
        assert came["logged"] == pytest.approx(wanted["logged"], rel=1e-5, abs=1e-7)


def test_a_parameter_that_nothing_uses_stays(pair):
    first, *_, last = pair[0]["plain"]["history"]
    assert not any(name.startswith("idle") for name in last["gradients"])
    near(first["model"] | last["model"], last["model"])
    assert torch.equal(first["model"]["idle.weight"], last["model"]["idle.weight"])


def test_a_checkpoint_holds_what_every_process_remembers(pair, alone):
    (new, (old,)) = pair[0]["memory"]["state"]["players"]["model"]["carry"]
    wanted, (older,) = alone["memory"]["state"]["players"]["model"]["carry"]
    near({"new": new, "old": old}, {"new": wanted, "old": older})


def test_two_processes_go_on_with_what_one_began(pair):
    task, made = learner("memory", 1)
    trained(task, made)
    wanted = trained(task, made)
    for came, step in zip(pair[0]["resumed"]["history"], wanted["history"], strict=True):
        near(came["model"], step["model"])


def test_only_the_leader_scores(pair, alone):
    assert pair[0]["watching"]["scored"] == alone["watching"]["scored"] > 0
    assert pair[1]["watching"]["scored"] == 0


def test_processes_draw_differently(pair):
    ours, theirs = (found["noisy"]["draw"] for found in pair)
    assert not torch.isclose(ours[: len(theirs)], theirs[: len(ours)]).any()


@pytest.mark.parametrize(("count", "size"), [(5, 2), (1, 2), (7, 3), (2, 4), (0, 2), (64, 8)])
def test_every_row_is_somebodys_and_the_first_is_never_without(count, size):
    rows = [list(range(count))[DistributedGroup(rank, size, torch.device("cpu"))._rows(count)] for rank in range(size)]
    assert [row for part in rows for row in part] == list(range(count))
    assert max(map(len, rows)) - min(map(len, rows)) <= 1
    assert rows[0] or not count


class Normed(Plain):
    def __init__(self):
        super().__init__()
        self.layers.insert(1, nn.BatchNorm1d(8))


def make(model, devices, **options):
    players = {"model": player(**options)}
    return Gradient(model, Ragged(), players=players, seed=0, precision="float32", compile=False, devices=devices)


class Remembering(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.register_buffer("baseline", torch.zeros(()))

    def __call__(self, model, batch, carry=None):
        raise AssertionError


def test_what_several_processes_cannot_do_is_refused():
    with pytest.raises(Mismatch, match=r"(?s)BatchNorm1d.*learner.devices=1"):
        make(Normed(), 2)
    make(Normed(), 1)
    with pytest.raises(Mismatch, match="with state"):
        make(Plain(), 2, objective=Remembering)
    with pytest.raises(UsageError, match="at least 1"):
        make(Plain(), 0)
    with pytest.raises(UsageError, match=r"rows in a batch \(5\)"):
        make(Plain(), 6)


@pytest.mark.parametrize("devices", [1, 2])
def test_torchrun_must_have_started_as_many(monkeypatch, devices):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(UsageError, match=r"torchrun \(3\)"):
        make(Plain(), devices)


SMALL = (
    "train", "model.channels=[4]", "model.dropout=0.0", "threads=1", "device=cpu", "log_every=2", "eval_every=2", "-q",
)  # fmt: skip


def dlcli(out, *words):
    return CliRunner().invoke(app, [*SMALL, *words, "--out", str(out)])


def begin(out, *words, **environment):
    """dlcli as a process of its own."""
    command = [sys.executable, "-m", "dlcli", *SMALL, *words, "--out", str(out)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | environment, **streams)


def others(leader):
    """The processes that a leader has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_bytes()
        except (OSError, ValueError, IndexError):
            continue
        if parent == leader and b"dlcli.launch.distributed.worker" in command:
            found.append(int(path.parent.name))
    return found


def alive(process):
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true, seconds=100):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def running(out):
    return any(run.metrics() for run in selectors.scan(out))


def values(run):
    return [value for *_, value in run.metrics()]


def test_a_run_of_two_is_the_run_of_one(tmp_path):
    for devices in (1, 2):
        result = dlcli(tmp_path, "steps=6", f"learner.devices={devices}")
        assert result.exit_code == 0, result.stderr
    two, one = selectors.scan(tmp_path)
    assert [row[:3] for row in two.metrics()] == [row[:3] for row in one.metrics()]
    assert values(two) == pytest.approx(values(one), rel=1e-4)
    assert two.info["metrics"]["test"] == pytest.approx(one.info["metrics"]["test"], rel=1e-4)
    assert two.info["signature"] == one.info["signature"]
    assert two.info["counters"] == one.info["counters"]
    assert not others(os.getpid())


@pytest.mark.slow
def test_a_run_that_diverges_ends_everybody(tmp_path):
    result = dlcli(tmp_path, "steps=50", "learner.devices=2", "lr=1e30")
    assert result.exit_code == 3, result.stderr
    assert not others(os.getpid())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow), (signal.SIGUSR1, 75)]
)
def test_a_signal_to_everybody_stops_the_run_and_it_goes_on(tmp_path, number, code):
    process = begin(tmp_path, "steps=100000", "learner.devices=2")
    until(lambda: running(tmp_path))
    follower, leader = *others(process.pid), process.pid
    for one in (follower, leader):
        os.kill(one, number)
    assert process.wait(100) == code, process.stderr.read()
    assert not alive(follower)
    (run,) = selectors.scan(tmp_path)
    done = run.info["steps"]
    if number == signal.SIGTERM:
        words = ["train", "--resume", "last", f"steps={done + 4}", "-q", "--out", str(tmp_path)]
        assert CliRunner().invoke(app, words).exit_code == 0
        (run,) = selectors.scan(tmp_path)
        assert (run.status, run.info["steps"]) == ("completed", done + 4)


@pytest.mark.slow
def test_when_one_is_killed_the_run_fails_and_says_so(tmp_path):
    process = begin(tmp_path, "steps=100000", "learner.devices=2")
    until(lambda: running(tmp_path))
    os.kill(*others(process.pid), signal.SIGKILL)
    _, said = process.communicate(timeout=100)
    assert (process.returncode, "process 1 ended" in said) == (1, True), said
    (run,) = selectors.scan(tmp_path)
    assert run.status == "failed"


@pytest.mark.slow
def test_when_the_leader_is_killed_nobody_is_left(tmp_path):
    process = begin(tmp_path, "steps=100000", "learner.devices=2")
    until(lambda: running(tmp_path))
    (follower,) = others(process.pid)
    process.kill()
    process.communicate()
    until(lambda: not alive(follower), 30)


@pytest.mark.slow
def test_processes_of_torchrun_make_one_run(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    pair = [
        begin(tmp_path, "steps=4", "learner.devices=2", RANK=str(rank), LOCAL_RANK=str(rank), **shared)
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=200) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    (run,) = selectors.scan(tmp_path)
    assert run.status == "completed"
    assert re.search(run.id, said[0][0])
    assert not said[1][0]
