"""Resume is bit-exact: killed, stopped, preempted and extended runs equal an uninterrupted run.

Child processes are forked from a preloaded server, so that each starts in milliseconds.
"""

import contextlib
import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dlcli.runs import selectors
from dlcli.runs.run import Run

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["dlcli.cli.app", "dlcli.commands.run", "dlcli.tasks.sequence.adding", "dlcli.models.sequence.tcn",
     "dlcli.learners.gradient.gradient", "dlcli.objectives.supervised", "torch._dynamo"]
)  # fmt: skip
CONSOLE = Path(sys.executable).with_name("dlcli")

WORDS = [
    "task=adding", "task.length=12", "task.train=72", "task.valid=24", "task.test=16", "task.batch=8",
    "model=tcn", "model.channels=[4,4]", "model.kernel_size=3", "model.dropout=0.3",
    "clip=0.5", "schedule=cosine", "learner.players.model.schedule.updates=60",
    "learner.players.model.schedule.warmup=5", "lr=0.02", "steps=60", "eval_every=8", "checkpoint_every=3",
    "log_every=5", "threads=1", "seed=3",
]  # fmt: skip


def dlcli(arguments, out, events, plan):
    """In a child process: run the command line and trigger the event of `plan`."""
    os.fsync = lambda handle: None  # what is written outlives the process; fsync is for power cuts
    if plan:
        events[plan[0]](*plan[1:])
    sys.stdout = sys.stderr = open(Path(out) / "output.txt", "a")  # noqa: SIM115 - until the process ends
    from dlcli.cli.app import app

    app([*arguments, "--out", str(out), "--progress", "none"])


def begin(out, arguments, plan=None):
    out.mkdir(exist_ok=True)
    child = SERVER.Process(target=dlcli, args=(arguments, out, EVENTS, plan))
    child.start()
    return child


def finish(out, arguments, plan=None):
    """Exit code of the command in a child; negative for the signal that killed it."""
    child = begin(out, arguments, plan)
    child.join(120)
    return child.exitcode


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def at_step(number, what=signal.SIGKILL):
    """A signal before step `number` of this process, counted from 0."""
    from dlcli.learners.gradient.gradient import Gradient

    step, count = Gradient.step, [0]

    def counted(self):
        if count[0] == number:
            os.kill(os.getpid(), what)
        count[0] += 1
        return step(self)

    Gradient.step = counted


def in_scoring(number):
    """Death in the middle of the scoring of batch `number`."""
    from dlcli.tasks.sequence.adding import Adding

    metrics, count = Adding.metrics, [0]

    def counted(self, *given):
        found = metrics(self, *given)
        count[0] += 1
        if count[0] == number:
            die()
        return found

    Adding.metrics = counted


def in_write(name, number, moment):
    """Death while the file is written for the `number`th time: half of it in the side file, or just put in place."""
    from dlcli.runs import run

    replace, count = run.replace_file, [0]

    def counted(path, content):
        count[0] += path.name == name
        if path.name != name or count[0] != number:
            return replace(path, content)
        if moment == "half":
            path.with_name(f".{name}.{os.getpid()}.tmp").write_bytes(content[: len(content) // 2])
        else:
            replace(path, content)
        return die()

    run.replace_file = counted


def at_the_end(what):
    """A signal while best.pt is scored, after the last step."""
    from dlcli.engine import lifecycle

    evaluate = lifecycle.evaluate

    def counted(*given):
        os.kill(os.getpid(), what)
        return evaluate(*given)

    lifecycle.evaluate = counted


def in_rows(number):
    """Death after a part of a row of metrics reached the disk."""
    log, count = Run.log, [0]

    def counted(self, step, split, row):
        log(self, step, split, row)
        count[0] += 1
        if count[0] == number:
            file = self._append_handle("metrics.csv")
            file.write(f"{step},train,lo")
            file.flush()
            die()

    Run.log = counted


def slow_clock():
    """A clock on which every look is a second."""
    import itertools
    from types import SimpleNamespace

    from dlcli.engine import fit

    seconds = itertools.count()
    fit.time = SimpleNamespace(perf_counter=lambda: float(next(seconds)))


EVENTS = {
    "clock": slow_clock,
    "step": at_step,
    "scoring": in_scoring,
    "end": at_the_end,
    "write": in_write,
    "rows": in_rows,
}


def bits(thing):
    """A tree of tensors and scalars as something that is equal only when every bit is."""
    if isinstance(thing, torch.Tensor):
        return str(thing.dtype), tuple(thing.shape), thing.contiguous().numpy().tobytes()
    if isinstance(thing, dict):
        return {key: bits(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [bits(value) for value in thing]
    return thing


def outcome(out):
    """All of the only run in a folder that must not depend on how it came about."""
    (run,) = selectors.scan(out)
    last = torch.load(run.checkpoint_path("last"), weights_only=True)
    best = torch.load(run.checkpoint_path("best"), weights_only=True)
    for clock in ("run", "seconds", "lengths"):
        last.pop(clock)
    best.pop("run")
    return {
        "last": bits(last),
        "best": bits(best),
        "rows": (run.path / "metrics.csv").read_bytes(),
        "facts": {key: run.info[key] for key in ("status", "exit_code", "metrics", "best", "counters", "signature")},
    }


def only(out):
    (run,) = selectors.scan(out)
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What an uninterrupted run gives."""
    out = tmp_path_factory.mktemp("whole")
    assert finish(out, ["train", *WORDS]) == 0
    found = outcome(out)
    assert found["facts"]["status"] == "completed"
    assert found["last"]["step"] == 60
    return found


def resumed(out):
    return finish(out, ["train", "--resume", "last"])


KILLS = [
    ("step", 0),                          # before anything
    ("step", 2),                          # before the first checkpoint
    ("write", "last.pt", 1, "half"),      # in the middle of the first checkpoint
    ("write", "run.json", 1, "half"),     # while it is taken up again
    ("step", 5),
    ("rows", 2),                          # half a row on the disk
    ("write", "best.pt", 1, "half"),
    ("write", "best.pt", 1, "after"),     # best.pt is newer than last.pt
    ("scoring", 1),                       # in the middle of a scoring
    ("write", "last.pt", 2, "after"),
    ("step", 17),
    ("scoring", 2),
]  # fmt: skip


def test_resume_after_twelve_kills_is_bit_exact(whole, tmp_path):
    assert finish(tmp_path, ["train", *WORDS], KILLS[0]) == -signal.SIGKILL
    for plan in KILLS[1:]:
        assert only(tmp_path).status == "lost"
        assert finish(tmp_path, ["train", "--resume", "last"], plan) == -signal.SIGKILL, plan
    assert resumed(tmp_path) == 0
    assert outcome(tmp_path) == whole
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(
    "plan",
    [
        KILLS[7],
        *(
            pytest.param(plan, marks=pytest.mark.slow)
            for plan in (KILLS[1], KILLS[3], ("scoring", 8), ("write", "run.json", 2, "half"))
        ),
    ],
)
def test_resume_after_one_kill_is_bit_exact(plan, whole, tmp_path):
    assert finish(tmp_path, ["train", *WORDS], plan) == -signal.SIGKILL
    if not selectors.scan(tmp_path):  # its first run.json was half-written: there is no run, and nothing is listed
        assert plan == KILLS[3]
        return
    assert resumed(tmp_path) == 0
    assert outcome(tmp_path) == whole


def test_resume_after_random_kills_is_bit_exact(whole, tmp_path):
    """Kill from outside at arbitrary moments."""
    luck = random.Random(0)
    for number in range(10):
        if selectors.scan(tmp_path) and only(tmp_path).status == "completed":
            break
        child = begin(tmp_path, ["train", "--resume", "last"] if selectors.scan(tmp_path) else ["train", *WORDS])
        child.join(luck.uniform(0, 0.6) if number % 2 else 0.05 + 0.02 * number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        child.join()
    if not selectors.scan(tmp_path):
        assert finish(tmp_path, ["train", *WORDS]) == 0
    elif only(tmp_path).status != "completed":
        assert resumed(tmp_path) == 0
    assert outcome(tmp_path) == whole


def wait_for(path, older=None):
    """Until a file is there, and not the one that was `older`."""
    for _ in range(6000):
        found = list(path.parent.parent.parent.glob(f"*/{path.parent.name}/{path.name}"))
        if found and found[0].stat().st_ino != older:
            return found[0]
        time.sleep(0.002)
    raise AssertionError(f"{path} did not appear")


@pytest.mark.slow
def test_resume_by_console_script_is_bit_exact(tmp_path):
    overrides = [word for word in WORDS if not word.startswith("steps=")] + ["steps=200"]
    assert finish(tmp_path / "whole", ["train", *overrides]) == 0
    out, older = tmp_path / "out", None
    checkpoint = out / "train" / "adding_tcn" / "RUN" / "checkpoints" / "last.pt"
    command = ["train", *overrides]
    for _ in range(2):
        child = subprocess.Popen([CONSOLE, *command, "--out", out, "--progress", "none"], stderr=subprocess.DEVNULL)
        older = wait_for(checkpoint, older).stat().st_ino
        child.kill()
        assert child.wait() == -signal.SIGKILL
        assert only(out).status == "lost"
        command = ["train", "--resume", "last"]
    assert resumed(out) == 0
    assert outcome(out) == outcome(tmp_path / "whole")


SIGNALS = [(signal.SIGINT, 130, "stopped"), (signal.SIGTERM, 143, "stopped"), (signal.SIGUSR1, 75, "preempted")]


@pytest.mark.parametrize(
    ("step", "number", "code", "status"),
    [(0, *SIGNALS[1]), (7, *SIGNALS[0]), (23, *SIGNALS[2]), (59, *SIGNALS[0])],  # 23: just scored; 59: the last step
)
def test_resume_after_a_signal_is_bit_exact(step, number, code, status, whole, tmp_path):
    assert finish(tmp_path, ["train", *WORDS], ("step", step, number)) == code
    run = only(tmp_path)
    assert (run.status, run.info["exit_code"], run.info["steps"]) == (status, code, step + 1)
    assert torch.load(run.checkpoint_path("last"), weights_only=True)["step"] == step + 1
    assert resumed(tmp_path) == 0
    assert outcome(tmp_path) == whole


@pytest.mark.parametrize(("number", "code", "status"), SIGNALS)
def test_resume_after_a_signal_during_the_final_evaluation(number, code, status, whole, tmp_path):
    """Nothing is left to save there, so a signal is obeyed at once; the scores are made by going on."""
    assert finish(tmp_path, ["train", *WORDS], ("end", number)) == code
    run = only(tmp_path)
    assert (run.status, run.info["metrics"], run.info["steps"]) == (status, {}, 60)
    assert resumed(tmp_path) == 0
    assert outcome(tmp_path) == whole


@pytest.mark.parametrize(("number", "code", "status"), SIGNALS)
def test_signal_from_outside_stops_with_its_exit_code(number, code, status, tmp_path):
    overrides = [word for word in WORDS if not word.startswith("steps=")] + ["steps=100000"]
    child = begin(tmp_path, ["train", *overrides])
    wait_for(tmp_path / "train" / "adding_tcn" / "RUN" / "checkpoints" / "last.pt")
    os.kill(child.pid, number)
    child.join(60)
    assert child.exitcode == code
    assert only(tmp_path).status == status


@pytest.mark.slow
def test_resume_after_repeated_preemption_is_bit_exact(whole, tmp_path):
    codes = [finish(tmp_path, ["train", *WORDS, "wall_time_limit=13"], ("clock",))]
    while codes[-1] == 75:
        assert only(tmp_path).status == "preempted"
        codes.append(finish(tmp_path, ["train", "--resume", "last"], ("clock",)))
    assert set(codes[:-1]) == {75}
    assert len(codes) > 4
    assert codes[-1] == 0
    assert outcome(tmp_path) == whole


@pytest.mark.parametrize("stop", [11, *(pytest.param(stop, marks=pytest.mark.slow) for stop in (8, 59))])
def test_resume_with_more_steps_equals_a_longer_run(stop, whole, tmp_path):
    """Also where the shorter one was scored at its end, out of turn, and that was its best."""
    assert finish(tmp_path, ["train", *WORDS, f"steps={stop}"]) == 0
    assert only(tmp_path).info["steps"] == stop
    assert finish(tmp_path, ["train", "--resume", "last", "steps=60"]) == 0
    assert outcome(tmp_path) == whole


def test_killed_extension_keeps_its_new_limit(whole, tmp_path):
    assert finish(tmp_path, ["train", *WORDS, "steps=11"]) == 0
    assert finish(tmp_path, ["train", "--resume", "last", "steps=60"], ("step", 1)) == -signal.SIGKILL
    assert resumed(tmp_path) == 0
    assert outcome(tmp_path) == whole


def test_resume_continues_patience(tmp_path):
    overrides = [*WORDS, "lr=1e-12", "patience=4", "eval_every=4"]
    assert finish(tmp_path / "whole", ["train", *overrides]) == 0
    out = tmp_path / "out"
    assert finish(out, ["train", *overrides], ("step", 9, signal.SIGTERM)) == 143
    assert finish(out, ["train", "--resume", "last"], ("scoring", 1)) == -signal.SIGKILL
    assert resumed(out) == 0
    assert outcome(out) == outcome(tmp_path / "whole")
    assert only(out).info["steps"] < 60


def test_resume_of_a_diverged_run_keeps_the_last_finite_checkpoint(tmp_path):
    overrides = [
        *WORDS,
        "optimizer=sgd",
        "schedule=constant",
        "lr=1e25",
        "clip=null",
        "checkpoint_every=1",
        "log_every=50",
    ]
    overrides = [word for word in overrides if not word.startswith("learner.players.model.schedule")]
    for command in (["train", *overrides], ["train", "--resume", "last"]):
        assert finish(tmp_path, command) == 3
        run = only(tmp_path)
        assert (run.status, run.info["exit_code"]) == ("diverged", 3)
        saved = torch.load(run.checkpoint_path("last"), weights_only=True)["learner"]["model"]
        assert all(value.isfinite().all() for value in saved.values())


def output_of(out):
    return (out / "output.txt").read_text()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run stopped at step 10, to be copied."""
    out = tmp_path_factory.mktemp("stopped")
    assert finish(out, ["train", *WORDS], ("step", 9, signal.SIGTERM)) == 143
    return out


@pytest.fixture
def copy(stopped, tmp_path):
    """A copy of the stopped run."""
    out = tmp_path / "copy"
    shutil.copytree(stopped, out)
    (out / "output.txt").unlink()
    return out


def files(out):
    """All files of the run except the lock and the captured output."""
    return {
        path.relative_to(out): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.name not in (".lock", "output.txt")
    }


def rejection(out, *overrides):
    """Check that a resume is rejected and changes nothing; return its message."""
    before = files(out)
    assert finish(out, ["train", "--resume", "last", *overrides]) == 2
    assert files(out) == before
    message = output_of(out)
    assert "Traceback" not in message
    assert 1 <= len(message.strip().splitlines()) <= 5
    return message


def test_resume_rejects_a_running_run(tmp_path):
    overrides = [word for word in WORDS if not word.startswith("steps=")] + ["steps=100000"]
    child = begin(tmp_path, ["train", *overrides])
    wait_for(tmp_path / "train" / "adding_tcn" / "RUN" / "checkpoints" / "last.pt")
    assert only(tmp_path).status == "running"
    assert finish(tmp_path, ["train", "--resume", "last"]) == 2
    assert all(text in output_of(tmp_path) for text in (str(child.pid), socket.gethostname()))
    assert child.is_alive()
    child.kill()
    child.join()
    assert only(tmp_path).status == "lost"


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def damage(path, how, victim):
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("no checkpoint")
    elif how == "payload":
        torch.save({"run": "x", "extra": Payload(victim)}, path)
    elif how == "pickle":
        path.write_bytes(pickle.dumps(Payload(victim)))
    elif how == "foreign":
        torch.save({"weight": torch.ones(3)}, path)


@pytest.mark.parametrize("how", ["truncated", "empty", "text", "payload", "pickle", "foreign"])
def test_resume_rejects_a_damaged_checkpoint_without_executing_it(how, copy, tmp_path):
    victim = tmp_path / "executed"
    damage(only(copy).checkpoint_path("last"), how, victim)
    assert "last.pt" in rejection(copy, "steps=70")
    assert not victim.exists()


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("lr=0.1", ("--resume", "lr")),
        ("model.dropout=0.5", ("--resume", "model")),
        ("seed=4", ("--resume", "seed")),
        ("steps=9", ("steps", "10", "got 9")),
        ("epochs=1", ("batches", "10", "got 9")),
        ("steps=many", ("steps", "many")),
        ("eval_every=0", ("eval_every", "got 0")),
        ("device=gpu", ("device", "gpu")),
        ("until.trials=3", ("until.trials",)),
    ],
)
def test_resume_rejects_changes_of_the_training(override, expected, copy):
    message = rejection(copy, override)
    assert all(text in message for text in expected), message


def test_resume_of_a_completed_run_requires_a_higher_limit(whole, tmp_path):
    assert finish(tmp_path, ["train", *WORDS]) == 0
    (tmp_path / "output.txt").unlink()
    assert "steps above 60" in rejection(tmp_path)
    (tmp_path / "output.txt").unlink()
    assert "got 30" in rejection(tmp_path, "steps=30")
    (tmp_path / "output.txt").unlink()
    only(tmp_path).checkpoint_path("last").unlink()
    assert "last.pt" in rejection(tmp_path, "steps=90")


def test_resume_marks_the_run_as_running(copy):
    assert finish(copy, ["train", "--resume", "last"], ("step", 3)) == -signal.SIGKILL
    info = json.loads((only(copy).path / "run.json").read_text())
    assert (info["status"], info["exit_code"], info["ended"]) == ("running", None, None)
