"""Several runs from one command, and what would run."""

import json

import pytest
from typer.testing import CliRunner

from dlcli.cli import app
from dlcli.core.errors import UsageError
from dlcli.verbs import many
from dlcli.verbs.options import Options

SMALL = ("threads=1", "model.channels=[4,4]", "steps=3")


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_dry_run_tells_sizes_and_times_and_writes_nothing(tmp_path):
    result = dlcli("train", "--dry-run", *SMALL, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "402 parameters" in result.stdout
    assert "receptive field 31 steps, sequences of 64" in result.stdout
    assert "3 steps of" in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_dry_run_of_several_tells_each_and_the_sum(tmp_path):
    result = dlcli("train", "--dry-run", *SMALL, "seed=0,1", "--json", "--out", tmp_path)
    rows = json.loads(result.stdout)
    assert [row["words"][-1] for row in rows] == ["seed=0", "seed=1"]
    assert all((row["steps"], row["parameters"]) == (3, 402) for row in rows)
    assert all(0 < row["seconds"] < 60 for row in rows)


def test_epochs_are_steps_in_a_dry_run(tmp_path):
    (row,) = json.loads(dlcli("train", "--dry-run", *SMALL[:2], "epochs=2", "batch=100", "--json").stdout)
    assert row["steps"] == 2 * 12


def test_a_dry_run_uses_the_solved_width():
    (row,) = json.loads(dlcli("train", "--dry-run", "gru", "budget=5000", "threads=1", "--json").stdout)
    assert abs(row["parameters"] - 5000) <= 100


def test_several_reports_come_in_order_as_json(tmp_path):
    words = ("train", *SMALL, "model.kernel_size=3,0,2", "--out", tmp_path, "--json", "-q")
    result = dlcli(*words)
    reports = json.loads(result.stdout)
    assert [report["exit_code"] for report in reports] == [0, 2, 0]
    assert reports[1]["run"] is None
    assert "kernel_size" in reports[1]["error"]
    assert result.exit_code == 5


def test_when_all_of_several_are_wrong_the_words_were(tmp_path):
    assert dlcli("train", *SMALL, "model.kernel_size=0,1", "--out", tmp_path).exit_code == 2
    assert not list(tmp_path.rglob("run.json"))


def test_an_interrupt_ends_all_that_would_follow(tmp_path, monkeypatch):
    from dlcli.core.executor import Report

    asked = []
    monkeypatch.setattr(many.train, "perform", lambda job: asked.append(job) or Report(130, error="interrupted"))
    assert dlcli("train", *SMALL, "seed=0,1,2", "--out", tmp_path).exit_code == 130
    assert len(asked) == 1


def test_models_of_a_sweep_are_told_apart(tmp_path):
    result = dlcli("train", "model=elman,gru", "steps=1", "model.hidden=3", "threads=1", "-q", "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "[1/2] elman" in result.stderr
    assert "[2/2] gru" in result.stderr


def test_an_unknown_display_is_refused(tmp_path):
    with pytest.raises(UsageError, match="plain"):
        many.main(["tcn"], Options(tmp_path, show="plane"), None, False, False)
