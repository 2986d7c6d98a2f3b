"""`dlcli list runs` among damaged runs."""

import csv
import io
import json
import subprocess
import sys

import pytest
from made_runs import make_run
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.commands import list as verb


def listed(out, *words):
    result = CliRunner().invoke(app, ["list", "runs", *words, "--out", str(out)])
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    make_run(tmp_path, identity="sound1")
    return tmp_path


@pytest.mark.parametrize(
    "facts",
    [
        {"metrics": {"test": {"accuracy": "high"}}}, {"metrics": {"test": "high"}}, {"seconds": "long"},
        {"goal": "accuracy"}, {"metrics": {"test": {"accuracy": True}}}, {"tags": 7},
    ],
)  # fmt: skip
def test_list_runs_marks_damaged_runs(out, facts):
    make_run(out, identity="broken", info=facts)
    lines = {line.split()[1]: line for line in listed(out).splitlines()}
    assert "damaged" in lines["broken"]
    assert "completed" in lines["sound1"]
    assert len(json.loads(listed(out, "--json"))) == 2
    assert len(list(csv.DictReader(io.StringIO(listed(out, "--csv"))))) == 2


@pytest.mark.parametrize("facts", [{"tags": None}, {"name": 7}, {"metrics": {"test": None}}])
def test_list_runs_accepts_missing_values(out, facts):
    make_run(out, identity="nearly", info=facts)
    (line,) = (line for line in listed(out).splitlines() if "nearly" in line)
    assert "completed" in line


def test_list_runs_prints_the_reason_of_damage(out):
    path = make_run(out, identity="broken")
    (path / "run.json").write_text("{")
    text = listed(out)
    assert "sound1" in text
    assert "damaged" in text
    (row,) = (row for row in json.loads(listed(out, "--json")) if row["status"] == "damaged")
    assert (row["id"], row["path"]) == (None, str(path))
    assert "damaged" in row["reason"]
    assert [row["status"] for row in csv.DictReader(io.StringIO(listed(out, "--csv")))] == ["completed", "damaged"]


def test_list_runs_by_tag_accepts_damaged_tags(out):
    make_run(out, identity="tagged", info={"tags": ["night"]})
    make_run(out, identity="broken", info={"tags": None})
    assert "tagged" in listed(out, "@night")


def test_list_metrics_states_direction_and_target_types(capsys):
    assert verb.metrics(as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"]["direction"] == "max"
    assert "classification" in found["accuracy"]["targets"]
    assert found["mse"]["direction"] == "min"
    assert "torch" not in _imports_of(["list", "metrics"])


def _imports_of(words):
    lines = [
        "import atexit, sys", "atexit.register(lambda: print(*sys.modules, file=sys.stderr))",
        f"sys.argv[1:] = {words!r}", "from dlcli.cli.app import app", "app()",
    ]  # fmt: skip
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    return run.stderr.split()
