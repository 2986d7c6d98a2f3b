"""Training loop: limits, logs, checkpoints, divergence, resume."""

import io
import math
import os
import pickle
import signal
import zipfile
from typing import ClassVar

import pytest
import torch
from torch import nn

from dlcli.core.errors import Mismatch, Missing, UsageError
from dlcli.core.evaluation import score
from dlcli.core.learner import Row, TableArtifact, Text
from dlcli.core.metric import Metric, PerSplit
from dlcli.core.task import Loss
from dlcli.engine.checkpoint import read_checkpoint
from dlcli.engine.fit import Plan, fit, limits
from dlcli.engine.signals import Signals
from dlcli.learners.gradient.gradient import Gradient
from dlcli.learners.gradient.player import Player
from dlcli.learners.gradient.schedule import Constant
from dlcli.objectives.supervised import Supervised
from dlcli.runs.run import Run
from dlcli.tasks.sequence.adding import Adding

SIZES = {"length": 5, "train": 40, "valid": 24, "test": 8, "batch": 8, "data_seed": 0}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Quiet:
    """Observer that records its calls."""

    def __init__(self):
        self.done, self.best = [], []

    def tick(self, step, done, latest):
        self.done.append(done)

    def scored(self, step, split, means, best):
        self.best.append((step, split, best))


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(10, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def frozen(parameters):
    return torch.optim.SGD(parameters, lr=0.0)


def adding(seed=0):
    return Adding(**SIZES, order=seed)


def gradient(task, seed=0, objective=Supervised, optimizer=sgd, model=None):
    torch.manual_seed(seed)
    player = Player(
        objective=objective, optimizer=optimizer, schedule=Constant(), parts=None, split="train", repeats=1,
        accumulate=1, clip=None,
    )  # fmt: skip
    model = model or network()
    return Gradient(model, task, players={"model": player}, seed=seed, precision="float32", compile=False)


def go(out, plan=None, *, seed=0, learner=None, task=None, signals=None, watcher=None, run=None, **planned):
    """Fit in a new run directory; returns the run, the learner and the ending."""
    task = task or adding(seed)
    learner = learner or gradient(task, seed)
    run = run or Run.create(out, "train", "toy", "")
    plan = plan or Plan(**({"until": {"steps": 12}, "eval_every": 4, "log_every": 3} | planned))
    ending = fit(learner, task, run, plan, watcher or Quiet(), signals or Signals())
    return run, learner, ending


def weights(model):
    return [value.clone() for value in model.state_dict().values()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


class Tapped:
    """Learner that calls a function before each step."""

    def __init__(self, learner, happenings):
        self.learner, self.happenings, self.steps = learner, happenings, 0
        self.counters = learner.counters

    @property
    def model(self):
        return self.learner.model

    def step(self):
        self.happenings.get(self.steps, lambda learner: None)(self.learner)
        self.steps += 1
        return self.learner.step()

    def state_dict(self):
        return self.learner.state_dict()

    def load_state_dict(self, state):
        self.learner.load_state_dict(state)


class Counting:
    """Learner without a model whose step n logs the loss n."""

    counters = ("trials",)
    model = None

    def __init__(self):
        self.steps = 0

    def step(self):
        self.steps += 1
        return Row({"loss": torch.tensor(float(self.steps))}, {"trials": 2})

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


# Output


def test_fit_logs_means_of_log_every_steps(tmp_path):
    run, _, ending = go(tmp_path, learner=Counting(), until={"steps": 8}, log_every=3, eval_every=100)
    assert run.metrics() == [(3, "train", "loss", 2.0), (6, "train", "loss", 5.0), (8, "train", "loss", 7.5)]
    assert (ending.status, ending.exit_code, ending.reason) == ("completed", 0, "8 steps")
    assert run.info["counters"] == {"trials": 16}


def test_fit_logs_the_remaining_steps_at_the_end(tmp_path):
    run, _, _ = go(tmp_path, until={"steps": 8}, log_every=3, eval_every=4)
    assert [step for step, split, name, _ in run.metrics() if (split, name) == ("train", "loss")] == [3, 6, 8]
    assert [step for step, split, name, _ in run.metrics() if (split, name) == ("valid", "mse")] == [4, 8]


def test_fit_evaluates_after_the_last_step(tmp_path):
    run, learner, _ = go(tmp_path, until={"steps": 5}, eval_every=4)
    scores = {step: value for step, split, name, value in run.metrics() if (split, name) == ("valid", "mse")}
    assert list(scores) == [4, 5]
    assert scores[5] == score(learner.model, adding(), "valid")["mse"]


def test_fit_evaluates_once_per_epoch_by_default(tmp_path):
    run, _, _ = go(tmp_path, until={"epochs": 3}, eval_every=None)
    assert [step for step, split, name, _ in run.metrics() if name == "mae"] == [5, 10, 15]


def test_best_and_last_checkpoints_hold_their_steps(tmp_path):
    watcher = Quiet()
    run, learner, _ = go(tmp_path, until={"steps": 40}, eval_every=4, watcher=watcher)
    scores = {step: value for step, split, name, value in run.metrics() if (split, name) == ("valid", "mse")}
    best = read_checkpoint(run.checkpoint_path("best"))
    assert best["value"] == min(scores.values()) == scores[best["step"]]
    assert run.info["best"] == {"step": best["step"], "value": best["value"]}
    assert [step for step, _, was in watcher.best if was][-1] == best["step"]
    fresh = network()
    fresh.load_state_dict(best["model"])
    assert score(fresh, adding(), "valid")["mse"] == best["value"]
    last = read_checkpoint(run.checkpoint_path("last"))
    assert same(last["learner"]["model"].values(), weights(learner.model))


def test_best_checkpoint_maximizes_a_max_metric(tmp_path):
    task = adding()
    task.main = type(task.main)("mse", "max")
    run, _, _ = go(tmp_path, task=task, learner=gradient(task))
    scores = [value for _, split, name, value in run.metrics() if (split, name) == ("valid", "mse")]
    assert read_checkpoint(run.checkpoint_path("best"))["value"] == max(scores)


def test_fit_is_determined_by_the_seed(tmp_path):
    texts = [(go(tmp_path, seed=seed)[0].path / "metrics.csv").read_bytes() for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("eval_every", [1, 3, 5, 100, None])
@pytest.mark.parametrize("checkpoint_every", [1, None])
def test_evaluation_interval_does_not_change_the_weights(eval_every, checkpoint_every, tmp_path):
    _, plain, _ = go(tmp_path, eval_every=7)
    _, looked, _ = go(tmp_path, eval_every=eval_every, checkpoint_every=checkpoint_every)
    assert same(weights(plain.model), weights(looked.model))


def test_artifacts_are_saved_after_each_evaluation(tmp_path):
    class Leaving(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside, self.times = network(), 0

        def forward(self, x):
            return self.inside(x)

        def leave(self):
            self.times += 1
            return {"weights": TableArtifact(("times",), [(self.times,)]), "deep/words": Text("said")}

    model, task = Leaving(), adding()
    run, _, _ = go(tmp_path, task=task, learner=gradient(task, model=model), until={"steps": 9}, eval_every=4)
    assert model.times == 3
    assert (run.path / "artifacts" / "weights.csv").read_text() == "times\n3\n"
    assert (run.path / "artifacts" / "deep" / "words.txt").read_text() == "said"


def test_per_split_metrics_are_computed_once_per_evaluation(tmp_path):
    class Collecting(Adding):
        sizes: ClassVar = []

        def spread(self, outputs, targets):
            self.sizes.append((len(outputs), len(targets)))
            return float(outputs.std())

    task = Collecting(**SIZES, order=0, metrics=["mae", "r2"])
    task.reported = (*task.reported, Metric("spread", "max", compute=PerSplit(task.spread)))
    run, _, _ = go(tmp_path, task=task, learner=gradient(task), until={"steps": 8}, eval_every=4)
    assert task.sizes == [(24, 24)] * 2
    assert [step for step, _, name, _ in run.metrics() if name == "spread"] == [4, 8]


def test_fit_rejects_a_task_without_its_main_metric(tmp_path):
    task = adding()
    task.main = type(task.main)("accuracy", "max")
    with pytest.raises(Mismatch) as error:
        go(tmp_path, task=task)
    assert error.value.code == "unreported_metric"
    assert error.value.fields["name"] == "accuracy"


def test_fit_rejects_declared_metric_that_no_evaluation_reports(tmp_path):
    task = adding()
    task.reported = (*task.reported, Metric("median", "min"))
    with pytest.raises(Mismatch) as error:
        go(tmp_path, task=task)
    assert (error.value.code, error.value.fields["name"]) == ("unreported_metric", "median")


class Logging(Counting):
    """Report an infinite energy and an overflow count."""

    def __init__(self, optimized):
        super().__init__()
        self.optimized = optimized

    def step(self):
        values = {"overflow": torch.tensor(1.0), "energy": torch.tensor(float("inf"))}
        return Row(values, super().step().counts, optimized=self.optimized)


@pytest.mark.parametrize(
    ("optimized", "status"), [(None, "diverged"), (("energy",), "diverged"), (("overflow",), "completed")]
)
def test_run_diverges_where_an_optimized_value_is_not_finite(tmp_path, optimized, status):
    _, _, ending = go(tmp_path, learner=Logging(optimized), until={"steps": 3})
    assert ending.status == status


def test_optimized_value_is_the_first_that_displays_receive(tmp_path):
    rows = []
    watcher = Quiet()
    watcher.tick = lambda step, done, latest: rows.append([*latest])
    learner = Logging(("energy",))
    learner.step = lambda: Row({"rate": torch.tensor(1.0), "energy": torch.tensor(2.0)}, {}, optimized=("energy",))
    go(tmp_path, learner=learner, until={"steps": 1}, log_every=1, watcher=watcher)
    assert rows[-1] == ["energy", "rate"]


def test_fit_rejects_metric_without_direction(tmp_path):
    class Undeclared(Adding):
        def metrics(self, model, batch, carry=None):
            found = super().metrics(model, batch, carry)
            return type(found)({**found.values, "median": found.values["mae"]})

    task = Undeclared(**SIZES, order=0)
    with pytest.raises(Mismatch) as error:
        go(tmp_path, task=task)
    assert error.value.code == "undeclared_metric"
    assert error.value.fields["name"] == "median"


# Limits


@pytest.mark.parametrize(
    ("until", "steps"),
    [
        ({"steps": 7}, 7), ({"epochs": 2}, 10), ({"epochs": 0.5}, 3), ({"samples": 24}, 3), ({"samples": 25}, 4),
        ({"updates": 6}, 6), ({"batches": 4}, 4), ({"seconds": 1e-9}, 0), ({"steps": 9, "samples": 16}, 2),
        ({"seconds": 1e9, "steps": 2}, 2),
    ],
)  # fmt: skip
def test_fit_stops_at_the_first_limit(until, steps, tmp_path):
    run, _, ending = go(tmp_path, until=until)
    assert run.info["steps"] == steps
    assert (ending.status, ending.exit_code) == ("completed", 0)


def test_fit_counts_all_batches_of_an_update(tmp_path):
    task = adding()
    player = Player(
        objective=Supervised, optimizer=sgd, schedule=Constant(), parts=None, split="train", repeats=2, accumulate=3,
        clip=None,
    )  # fmt: skip
    learner = Gradient(network(), task, players={"model": player}, seed=0, precision="float32", compile=False)
    run, _, _ = go(tmp_path, task=task, learner=learner, until={"epochs": 2})
    assert run.info["steps"] == 2
    assert run.info["counters"] == {"updates": 4, "batches": 12, "samples": 96}


@pytest.mark.parametrize(
    ("until", "code", "field"),
    [
        ({}, "required", ("key", "until")),
        ({"stepz": 3}, "unknown_counter", ("name", "stepz")),
        ({"trials": 3}, "unknown_counter", ("key", "until.trials")),
    ],
)
def test_limits_reject_unknown_counters(until, code, field):
    task = adding()
    with pytest.raises(UsageError) as error:
        limits(until, gradient(task), task)
    assert (error.value.code, error.value.fields[field[0]]) == (code, field[1])


def test_limits_reject_epochs_without_batches():
    with pytest.raises(UsageError) as error:
        limits({"epochs": 1}, Counting(), adding())
    assert (error.value.code, error.value.fields["key"]) == ("unknown_counter", "until.epochs")


def test_patience_stops_after_evaluations_without_improvement(tmp_path):
    task = adding()
    learner = gradient(task, optimizer=frozen)
    run, _, ending = go(tmp_path, task=task, learner=learner, until={"steps": 99}, eval_every=2, patience=3)
    assert run.info["steps"] == 8
    assert run.info["best"]["step"] == 2
    assert (ending.status, ending.exit_code) == ("completed", 0)
    assert ending.reason.startswith("early stopping")


def test_improvement_resets_patience(tmp_path):
    run, _, _ = go(tmp_path, until={"steps": 60}, eval_every=3, patience=2)
    scores = [(step, value) for step, split, name, value in run.metrics() if (split, name) == ("valid", "mse")]
    best, stale, stopped = math.inf, 0, 60
    for step, value in scores:
        best, stale = (value, 0) if value < best else (best, stale + 1)
        if stale == 2:
            stopped = step
            break
    assert run.info["steps"] == stopped


def test_wall_time_limit_saves_a_checkpoint_and_preempts(tmp_path):
    run, _, ending = go(tmp_path, wall_time_limit=1e-9)
    assert (ending.status, ending.exit_code) == ("preempted", 75)
    assert read_checkpoint(run.checkpoint_path("last"))["step"] == 0


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [(signal.SIGINT, "stopped", 130), (signal.SIGTERM, "stopped", 143), (signal.SIGUSR1, "preempted", 75)],
)
@pytest.mark.parametrize("step", [0, 3, 7])
def test_signal_stops_after_the_step_with_a_checkpoint(number, status, code, step, tmp_path):
    before = signal.getsignal(number)
    task = adding()
    learner = Tapped(gradient(task), {step: lambda _: os.kill(os.getpid(), number)})
    with Signals().caught() as signals:
        run, _, ending = go(tmp_path, task=task, learner=learner, signals=signals)
    assert (ending.status, ending.exit_code) == (status, code)
    assert signal.Signals(number).name in ending.reason
    saved = read_checkpoint(run.checkpoint_path("last"))
    assert saved["step"] == step + 1
    assert same(saved["learner"]["model"].values(), weights(learner.model))
    assert signal.getsignal(number) is before


def test_second_interrupt_stops_at_once():
    with Signals().caught() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_progress_increases_from_0_to_1(tmp_path):
    watcher = Quiet()
    go(tmp_path, until={"steps": 4, "samples": 1000}, watcher=watcher)
    assert watcher.done[0] == 0.25
    assert all(0 <= done <= 1 for done in watcher.done)


# Divergence


def broken_at(number):
    """Loss of the task, NaN from batch `number` on."""

    class Broken(Supervised):
        def __call__(self, model, batch, carry=None):
            loss = super().__call__(model, batch, carry)
            return Loss(loss.value * (math.nan if batch.step >= number else 1.0), {}, loss.weight)

    return Broken


def finite(state):
    return all(value.isfinite().all() for value in state.values())


@pytest.mark.parametrize(("number", "saved"), [(0, None), (2, 2), (5, 4), (6, 6)])
@pytest.mark.parametrize("log_every", [1, 3, 100])
def test_nan_loss_diverges_and_keeps_the_last_finite_checkpoint(number, saved, log_every, tmp_path):
    task = adding()
    learner = gradient(task, objective=broken_at(number))
    run, _, ending = go(
        tmp_path, task=task, learner=learner, log_every=log_every, eval_every=4, checkpoint_every=2, until={"steps": 9}
    )
    assert (ending.status, ending.exit_code) == ("diverged", 3)
    assert "at step" in ending.reason
    path = run.checkpoint_path("last")
    assert path.exists() is (saved is not None)
    if saved is not None:
        assert read_checkpoint(path)["step"] == saved
        assert finite(read_checkpoint(path)["learner"]["model"])
    if run.checkpoint_path("best").exists():
        assert finite(read_checkpoint(run.checkpoint_path("best"))["model"])


def test_infinite_loss_at_the_last_step_diverges(tmp_path):
    class Detached(Supervised):
        def __call__(self, model, batch, carry=None):
            loss = super().__call__(model, batch, carry)
            return Loss(loss.value + (math.inf if batch.step == 6 else 0.0), {}, loss.weight)

    task = adding()
    learner = gradient(task, objective=Detached, optimizer=frozen)
    run, _, ending = go(tmp_path, task=task, learner=learner, log_every=100, until={"steps": 8}, eval_every=4)
    assert (ending.status, ending.exit_code, ending.reason) == ("diverged", 3, "loss is inf at step 8")
    assert (8, "train", "loss", math.inf) in run.metrics()


def spoil(learner):
    with torch.no_grad():
        next(learner.model.parameters())[0, 0] = math.nan


@pytest.mark.parametrize("eval_every", [2, 100])
def test_nan_parameters_are_never_saved(eval_every, tmp_path):
    """Also if the metric, such as an accuracy, remains finite."""

    class Blind(Adding):
        def metrics(self, model, batch, carry=None):
            found = super().metrics(model, batch, carry)
            scores = {name: type(one)(torch.zeros_like(one.total), one.weight) for name, one in found.values.items()}
            return type(found)(scores)

    task = Blind(**SIZES, order=0)
    learner = Tapped(gradient(task, optimizer=frozen), {5: spoil})
    run, _, ending = go(
        tmp_path, task=task, learner=learner, until={"steps": 8}, eval_every=eval_every, checkpoint_every=3,
        log_every=100,
    )  # fmt: skip
    assert (ending.status, ending.exit_code) == ("diverged", 3)
    assert finite(read_checkpoint(run.checkpoint_path("last"))["learner"]["model"])
    assert not [row for row in run.metrics() if row[0] >= 6 and row[1] == "valid"]


def test_first_evaluation_saves_no_best_of_nan_weights(tmp_path):
    class Blind(Adding):
        def metrics(self, model, batch, carry=None):
            found = super().metrics(model, batch, carry)
            scores = {name: type(one)(torch.zeros_like(one.total), one.weight) for name, one in found.values.items()}
            return type(found)(scores)

    task = Blind(**SIZES, order=0)
    learner = Tapped(gradient(task), {0: spoil})
    run, _, ending = go(tmp_path, task=task, learner=learner, eval_every=1, log_every=100)
    assert ending.status == "diverged"
    assert os.listdir(run.path / "checkpoints") == []


def test_infinite_buffer_does_not_diverge(tmp_path):
    task = adding()
    model = network()
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    assert go(tmp_path, task=task, learner=gradient(task, model=model))[2].status == "completed"


# Resume


@pytest.fixture
def half(tmp_path):
    """A run stopped at step 6."""
    task = adding()
    learner = Tapped(gradient(task), {5: lambda _: os.kill(os.getpid(), signal.SIGTERM)})
    with Signals().caught() as signals:
        return go(tmp_path, task=task, learner=learner, signals=signals)[0]


def test_fit_resumes_from_the_last_checkpoint(half, tmp_path):
    run, learner, _ = go(tmp_path, run=half)
    whole, reference, _ = go(tmp_path)
    assert same(weights(learner.model), weights(reference.model))
    assert (run.path / "metrics.csv").read_bytes() == (whole.path / "metrics.csv").read_bytes()


def test_resumed_row_averages_steps_before_and_after(tmp_path):
    first = go(tmp_path, learner=Counting(), log_every=5, until={"steps": 3}, eval_every=100)[0]
    run, _, _ = go(tmp_path, run=first, learner=Counting(), log_every=5, until={"steps": 5}, eval_every=100)
    assert run.metrics() == [(5, "train", "loss", 3.0)]


def test_checkpoint_of_another_run_is_rejected(half, tmp_path):
    other = go(tmp_path)[0]
    half.checkpoint_path("last").write_bytes(other.checkpoint_path("last").read_bytes())
    before = (half.path / "metrics.csv").read_bytes()
    with pytest.raises(Mismatch) as error:
        go(tmp_path, run=half)
    assert error.value.code == "mismatch"
    assert (other.id in error.value.fields["requirement"], half.id in error.value.fields["got"]) == (True, True)
    assert (half.path / "metrics.csv").read_bytes() == before


def test_checkpoint_of_another_model_is_rejected(half, tmp_path):
    task = adding()
    other = nn.Sequential(nn.Flatten(), nn.Linear(10, 1))
    with pytest.raises(Mismatch):
        go(tmp_path, run=half, task=task, learner=gradient(task, model=other))


def test_resume_rejects_truncated_metrics(half, tmp_path):
    (half.path / "metrics.csv").unlink()
    with pytest.raises(UsageError) as error:
        go(tmp_path, run=half)
    assert error.value.code == "damaged"


class Payload:
    """Object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def packed(thing):
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["last", "best"])
@pytest.mark.parametrize("how", ["torch", "pickle", "zip", "inside"])
def test_a_malicious_checkpoint_is_not_executed(how, name, half, tmp_path):
    victim = tmp_path / "executed"
    payload = Payload(victim)
    path = half.checkpoint_path(name)
    content = {
        "torch": lambda: packed(payload),
        "pickle": lambda: pickle.dumps({"run": half.id, "x": payload}),
        "zip": lambda: zipped(pickle.dumps(payload)),
        "inside": lambda: packed(read_checkpoint(path) | {"extra": payload}),
    }[how]()
    path.write_bytes(content)
    with pytest.raises(UsageError) as error:
        go(tmp_path, run=half)
    assert (error.value.code, error.value.fields["path"]) == ("damaged", path)
    assert not victim.exists()
    torch.load(io.BytesIO(packed(payload)), weights_only=False)
    assert victim.exists()


@pytest.mark.parametrize("thing", [torch.ones(3), [1], 5, "words", None, {}, {"model": {}}, {"run": "x"}])
@pytest.mark.parametrize("name", ["last", "best"])
def test_checkpoint_of_another_format_is_rejected(name, thing, half, tmp_path):
    half.checkpoint_path(name).write_bytes(packed(thing))
    with pytest.raises(Mismatch) as error:
        go(tmp_path, run=half)
    assert (error.value.code, error.value.fields["path"].name) == ("damaged", f"{name}.pt")


@pytest.mark.parametrize("key", ["learner", "lengths", "step", "pending", "scored"])
def test_checkpoint_with_a_missing_entry_is_rejected(key, half, tmp_path):
    path = half.checkpoint_path("last")
    saved = read_checkpoint(path)
    path.write_bytes(packed({name: value for name, value in saved.items() if name != key}))
    with pytest.raises(Mismatch) as error:
        go(tmp_path, run=half)
    assert (error.value.code, error.value.fields["path"]) == ("damaged", path)


@pytest.mark.parametrize("wrong", [{"learner": 3}, {"learner": {"model": {}}}, {"lengths": {}}, {"lengths": None}])
def test_checkpoint_with_an_invalid_entry_is_rejected(wrong, half, tmp_path):
    path = half.checkpoint_path("last")
    path.write_bytes(packed(read_checkpoint(path) | wrong))
    with pytest.raises(Mismatch, match="checkpoint"):
        go(tmp_path, run=half)


def test_truncated_or_flipped_checkpoint_raises_usage_error(half):
    path = half.checkpoint_path("last")
    content = path.read_bytes()
    for length in [0, 1, 2, 10, *range(30, len(content), len(content) // 40), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(UsageError) as error:
            read_checkpoint(path)
        assert error.value.code == "damaged"
    for offset in range(0, len(content), max(1, len(content) // 300)):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 0xFF]) + content[offset + 1 :])
        try:
            read_checkpoint(path)
        except UsageError:
            continue


def test_missing_checkpoint_raises_missing(tmp_path):
    with pytest.raises(Missing) as error:
        read_checkpoint(tmp_path / "best.pt")
    assert (error.value.code, error.value.fields["path"]) == ("missing_file", tmp_path / "best.pt")
