"""Trackers mirror what a run logs, and nothing that they do stops, changes or slows it."""

import json
import os
import subprocess
import sys
import threading

import pytest
from typer.testing import CliRunner

from dlcli import loggers
from dlcli.cli.app import app
from dlcli.core.errors import UsageError
from dlcli.loggers import mirror
from dlcli.runs.run import Run

SMALL = ("train", "model.channels=[4]", "threads=1", "steps=4", "log_every=2", "eval_every=2", "-q")


def dlcli(out, *words):
    return CliRunner().invoke(app, [*SMALL, *words, "--out", str(out)])


def only(out):
    (path,) = [path.parent for path in out.rglob("run.json")]
    return Run.open(path)


def detached(result):
    return [line for line in result.stderr.splitlines() if "detached" in line]


class Recorder:
    """Tracker that records its calls."""

    def __init__(self):
        self.rows, self.ended = [], None

    def row(self, step, split, row):
        self.rows += [(step, split, name, value) for name, value in row.items()]

    def end(self, info):
        self.ended = info["status"], info["metrics"]


class Broken(Recorder):
    """One that raises in one of its methods."""

    def __init__(self, where, error):
        super().__init__()
        self.where, self.error = where, error
        self._fail("make")

    def _fail(self, where):
        if self.where == where:
            raise self.error

    def row(self, step, split, row):
        self._fail("row")

    def end(self, info):
        self._fail("end")


@pytest.fixture
def tracked(monkeypatch):
    """Puts a tracker of ours in TensorBoard's place."""

    def put(make):
        monkeypatch.setattr(loggers, "_installed", lambda name: True)
        monkeypatch.setattr(loggers, "_open", lambda name, facts: make())

    return put


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The run without any tracker."""
    out = tmp_path_factory.mktemp("plain")
    dlcli(out)
    return only(out)


def test_tracker_receives_every_row_and_the_end(tmp_path, tracked):
    recorder = Recorder()
    tracked(lambda: recorder)
    assert dlcli(tmp_path, "logger=tensorboard").exit_code == 0
    run = only(tmp_path)
    assert recorder.rows == run.metrics()
    assert recorder.ended == ("completed", run.info["metrics"])


@pytest.mark.parametrize("where", ["make", "row", "end"])
def test_broken_tracker_does_not_change_the_run(tmp_path, tracked, plain, where):
    tracked(lambda: Broken(where, OSError("no network")))
    result = dlcli(tmp_path, "logger=tensorboard")
    assert result.exit_code == 0, result.stderr
    assert len(detached(result)) == 1
    run = only(tmp_path)
    assert detached(result)[0] in (run.path / "log.txt").read_text()
    assert (run.status, run.metrics(), run.info["metrics"]) == ("completed", plain.metrics(), plain.info["metrics"])


@pytest.mark.parametrize("where", ["make", "row", "end"])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError(), ValueError("a\nb")])
def test_error_of_a_tracker_is_reported_once(where, error, capsys):
    notes = []
    broken = mirror.TrackerThread("x", lambda: Broken(where, error), notes.append)
    for step in range(5):
        broken.row(step, "train", {"loss": 1.0})
    broken.end({})
    broken.row(9, "train", {})
    assert [type(error).__name__ in note for note in notes] == [True]
    assert capsys.readouterr().err == notes[0] + "\n"


def test_hanging_tracker_is_detached(tmp_path, tracked, monkeypatch):
    monkeypatch.setattr(mirror, "_TIMEOUT", 0.05)
    forever = threading.Event()
    tracked(forever.wait)
    result = dlcli(tmp_path, "logger=tensorboard")
    forever.set()
    assert (result.exit_code, len(detached(result))) == (0, 1)
    assert "not finished" in detached(result)[0]


def test_slow_tracker_is_detached(monkeypatch, capsys):
    monkeypatch.setattr(mirror, "_MAX_QUEUED", 3)
    monkeypatch.setattr(mirror, "_TIMEOUT", 0.05)
    forever, notes = threading.Event(), []
    slow = mirror.TrackerThread("slow", forever.wait, notes.append)
    for step in range(20):
        slow.row(step, "train", {"loss": 1.0})
    slow.end({})
    forever.set()
    assert len(notes) == 1
    assert "behind" in notes[0]
    assert capsys.readouterr().err.count("detached") == 1


def test_broken_tracker_does_not_affect_another(tmp_path, monkeypatch):
    good = Recorder()
    trackers = {"tensorboard": lambda: good, "wandb": lambda: Broken("row", OSError("gone"))}
    monkeypatch.setattr(loggers, "_installed", lambda name: True)
    monkeypatch.setattr(loggers, "_open", lambda name, facts: trackers[name]())
    result = dlcli(tmp_path, "logger=[wandb,tensorboard]")
    assert (result.exit_code, len(detached(result))) == (0, 1)
    assert good.rows == only(tmp_path).metrics()


@pytest.mark.parametrize(
    ("value", "expected"), [("tensorbord", '"tensorboard"'), ("3", "logger"), ("[3]", "logger"), ("{a: 1}", "logger")]
)
def test_unknown_logger_is_rejected_before_the_run(tmp_path, value, expected):
    result = dlcli(tmp_path, f"logger={value}")
    assert (result.exit_code, expected in result.stderr) == (2, True), result.stderr
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.parametrize("name", list(loggers.TRACKERS))
def test_missing_package_is_reported_before_the_run(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    result = dlcli(tmp_path, f"logger={name}")
    assert (result.exit_code, f"pip install 'dlcli-lab[{name}]'" in result.stderr) == (2, True)
    assert not list(tmp_path.rglob("run.json"))


def test_chosen_removes_duplicates():
    assert (
        loggers.tracker_names({})
        == loggers.tracker_names({"logger": None})
        == loggers.tracker_names({"logger": []})
        == []
    )
    with pytest.raises(UsageError):
        loggers.tracker_names({"logger": True})


def test_logger_does_not_change_the_signature(tmp_path, tracked, plain):
    tracked(Recorder)
    dlcli(tmp_path, "logger=tensorboard")
    assert only(tmp_path).info["signature"] == plain.info["signature"]


def test_resumed_run_is_mirrored_from_its_checkpoint(tmp_path, tracked):
    recorders = []
    tracked(lambda: recorders.append(Recorder()) or recorders[-1])
    dlcli(tmp_path, "logger=tensorboard")
    words = ["train", "--resume", "last", "steps=8", "-q", "--out", str(tmp_path)]
    assert CliRunner().invoke(app, words).exit_code == 0
    first, second = recorders
    assert {step for step, *_ in second.rows} == {6, 8}
    assert [row for row in first.rows if row[0] <= 4] + second.rows == only(tmp_path).metrics()


def test_tensorboard_contains_the_logged_values(tmp_path):
    pytest.importorskip("tensorboard", reason="pip install 'dlcli-lab[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert dlcli(tmp_path, "logger=tensorboard").exit_code == 0
    run = only(tmp_path)
    events = EventAccumulator(str(run.path / "artifacts/tensorboard"))
    events.Reload()
    for split, metric in (("train", "loss"), ("valid", "accuracy")):
        wanted = [(step, value) for step, where, name, value in run.metrics() if (where, name) == (split, metric)]
        came = [(event.step, event.value) for event in events.Scalars(f"{metric}/{split}")]
        assert came == [(step, pytest.approx(value, rel=1e-6)) for step, value in wanted]
    (test,) = events.Scalars("accuracy/test")
    assert test.value == pytest.approx(run.info["metrics"]["test"]["accuracy"])


def test_mlflow_contains_the_logged_values(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="pip install 'dlcli-lab[mlflow]'")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    result = dlcli(tmp_path / "out", "logger=mlflow")
    assert (result.exit_code, detached(result)) == (0, [])
    words = ["train", "--resume", "last", "steps=8", "-q", "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words).exit_code == 0
    run, client = only(tmp_path / "out"), MlflowClient()
    (kept,) = client.search_runs([client.get_experiment_by_name("dlcli").experiment_id])
    assert (kept.info.status, kept.data.tags["dlcli_run"]) == ("FINISHED", run.id)
    assert kept.data.params["model.channels"] == "[4]"
    came = {(metric.step, metric.value) for metric in client.get_metric_history(kept.info.run_id, "train/loss")}
    assert came == {(step, value) for step, split, name, value in run.metrics() if (split, name) == ("train", "loss")}
    assert kept.data.metrics["test/accuracy"] == run.info["metrics"]["test"]["accuracy"]


def test_wandb_offline_writes_a_run(tmp_path):
    pytest.importorskip("wandb", reason="pip install 'dlcli-lab[wandb]'")
    environment = os.environ | {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "HOME": str(tmp_path)}
    words = [sys.executable, "-m", "dlcli", *SMALL, "logger=wandb", "--out", str(tmp_path / "out")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=200)
    assert (done.returncode, "detached" in done.stderr) == (0, False), done.stderr
    run = only(tmp_path / "out")
    (record,) = run.path.rglob("*.wandb")
    assert run.id in record.name
    assert b"train/loss" in record.read_bytes()


def test_loggers_import_without_trackers(tmp_path, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    notes = []
    lonely = mirror.TrackerThread("x", Recorder, notes.append)
    lonely.row(1, "train", {})
    lonely.end({})
    assert len(notes) == 1
    assert json.dumps(notes)
