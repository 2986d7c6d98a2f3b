"""`dlcli compare models`: parameters and multiply-adds equal closed forms."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.engine import threads

TIME = 64  # of sequential_digits


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(threads, "_ROUNDS", 1)
    monkeypatch.setattr(threads, "_STEPS", 1)


def dlcli(*words):
    return CliRunner().invoke(app, ["compare", "models", *words, "threads=1"])


def rows(*words):
    result = dlcli(*words, "--json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def test_multiply_adds_of_an_lstm_equal_the_closed_form():
    (row,) = rows("task=sequential_digits", "model=lstm", "model.hidden=8", "batch=4")
    gates = 4 * 8 * (1 + 8)
    assert row["parameters"] == gates + 2 * 4 * 8 + 10 * (8 + 1)
    assert row["multiply_adds"] == TIME * gates + 8 * 10
    assert (row["batch"], row["threads"], row["device"]) == (4, 1, "cpu")
    assert row["milliseconds"] > 0


def test_multiply_adds_grow_with_width_but_not_batch():
    small, wide, many = (
        rows("task=sequential_digits", "model=gru", *words)[0]["multiply_adds"]
        for words in (("model.hidden=4", "batch=2"), ("model.hidden=8", "batch=2"), ("model.hidden=4", "batch=8"))
    )
    assert small == many == TIME * 3 * 4 * (1 + 4) + 4 * 10
    assert wide > 2.5 * small


def test_compare_models_prints_a_row_per_model_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("task=sequential_digits", "model=tcn,elman", "budget=2000", "batch=2")
    result = dlcli(*words)
    assert result.exit_code == 0, result.exception
    assert len(result.stdout.splitlines()) == 3
    assert all(word in result.stdout for word in ("tcn", "elman", "multiply-adds", "ms per step"))
    table = list(csv.DictReader(io.StringIO(dlcli(*words, "--csv").stdout)))
    assert [abs(int(row["parameters"]) - 2000) <= 40 for row in table] == [True, True]
    assert list(tmp_path.iterdir()) == []


def test_compare_models_marks_invalid_models():
    good, bad = rows("task=sequential_digits", "model=tcn", "model.channels=[4,4]", "model.kernel_size=3,0", "batch=2")
    assert good["parameters"] > 0
    assert "kernel_size" in bad["error"]
    result = dlcli("model=tcn", "model.kernel_size=0,-1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "kernel_size" in result.stderr


def test_compare_models_suggests_the_nearest_model():
    result = dlcli("model=tnc,gru")
    assert result.exit_code == 2
    assert '"tcn"' in result.stderr
