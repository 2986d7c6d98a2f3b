"""Run directories of dlcli 0.1.0, one for each command: they are listed, shown, compared and read."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.report.configuration import read_settings
from dlcli.runs.run import Run

OLD = Path(__file__).parents[1] / "data" / "runs_0_1_0"
PATHS = sorted(path.parent for path in OLD.rglob("run.json"))
UNDIRECTED = {"length"}


def dlcli(*words):
    result = CliRunner().invoke(app, [*words, "--out", str(OLD)])
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def groups(*words):
    return json.loads(dlcli("compare", "runs", "--json", *words))["groups"]


def test_old_runs_are_of_schema_1_and_of_each_command():
    records = [Run.open(path).record for path in PATHS]
    assert {record.schema for record in records} == {1}
    assert {record.verb for record in records} == {"train", "eval", "evolve", "search", "sketch"}


def test_directions_of_all_metrics_are_known():
    for path in PATHS:
        record = Run.open(path).record
        names = {name for split in record.splits for name in record.scores(split)}
        assert {name for name in names if record.direction(name) is None} <= UNDIRECTED, path


def test_configurations_are_read():
    assert all("task" in read_settings(path) for path in PATHS if Run.open(path).record.verb == "train")


def test_list_names_every_run():
    rows = json.loads(dlcli("list", "runs", "--children", "--json"))
    assert {row["id"] for row in rows} == {Run.open(path).id for path in PATHS}
    assert "success_rate" in dlcli("list", "runs")


@pytest.mark.parametrize("path", [path for path in PATHS if "runs" not in path.relative_to(OLD).parts], ids=str)
def test_show_prints_status_and_curves(path):
    run = Run.open(path)
    text = dlcli("show", str(path))
    assert run.id in text
    assert run.status in text
    if run.record.verb in ("train", "evolve") and run.status == "completed":
        assert run.record.metric in text


@pytest.mark.parametrize(
    ("metric", "name", "direction"),
    [
        ("accuracy", "accuracy", "max"), ("nll", "nll", "min"), ("mse", "mse", "min"),
        ("solved", "success_rate", "max"), ("success_rate", "success_rate", "max"), ("return", "return", "max"),
        ("nll_by_piece", "nll_per_piece", "min"), ("confident", "confident", "max"),
        ("found_accuracy", "found_accuracy", "max"), ("auc", "auc", "max"), ("count_error", "count_error", "min"),
    ],
)  # fmt: skip
def test_compare_ranks_by_the_frozen_direction(metric, name, direction):
    rows = [row for row in groups("--metric", metric) if row["n"]]
    assert {row["metric"] for row in rows} == {f"test {name}"}
    assert {row["direction"] for row in rows} == {direction}


def test_compare_by_main_metrics_needs_no_direction():
    rows = {row["task"]: row for row in groups() if row["n"]}
    assert {"digits", "csv", "jsb"} <= rows.keys()
    baseline = Run.open(next(path for path in PATHS if "csv_tcn" in str(path) and "eval" not in str(path)))
    assert rows["csv"]["baseline"] == baseline.info["metrics"]["test"]["mse_persistence"]


def test_compare_by_a_metric_outside_the_table_requires_a_direction():
    result = CliRunner().invoke(app, ["compare", "runs", "--metric", "length", "--out", str(OLD)])
    assert result.exit_code == 2
    assert "--direction" in result.stderr
    rows = [row for row in groups("--metric", "length", "--direction", "min") if row["n"]]
    assert {row["direction"] for row in rows} == {"min"}


@pytest.mark.parametrize(
    "path", [path for path in PATHS if (path / "checkpoints" / "best.pt").exists() and path.parent.name != "csv_tcn"],
    ids=lambda path: path.name,
)  # fmt: skip
def test_eval_reproduces_the_stored_scores(path, tmp_path):
    if path.parent.name == "jsb_gru" and not os.environ.get("DLCLI_DATA"):
        pytest.skip("jsb_gru needs poly-music: set DLCLI_DATA")
    result = CliRunner().invoke(app, ["eval", str(path), "--json", "--out", str(tmp_path)])
    assert result.exit_code == 0, (result.stderr, result.exception)
    scores, stored = json.loads(result.stdout)["metrics"]["test"], Run.open(path).record.scores("test") or {}
    assert {name: scores[name] for name in stored} == pytest.approx(stored, rel=1e-4, abs=1e-6)


def test_eval_of_a_table_run_on_a_copy_of_its_file(tmp_path):
    """0.1.0 split the windows, not the rows: its test split is the last 15 % of all windows with a target."""
    (path,) = (path for path in PATHS if path.parent.name == "csv_tcn" and path.parents[1].name == "train")
    table = tmp_path / "predictions.csv"
    words = [f"task.path={OLD / 'hourly.csv'}", "--split", "all", "--predictions", str(table)]
    result = CliRunner().invoke(app, ["eval", str(path), *words, "--json", "--out", str(tmp_path)])
    assert result.exit_code == 0, (result.stderr, result.exception)
    rows = pd.read_csv(table)
    errors = (rows["temperature_prediction"] - rows["temperature_target"]).to_numpy() ** 2
    assert json.loads(result.stdout)["metrics"]["all"]["mse"] == pytest.approx(errors.mean(), rel=1e-5)
    stored = Run.open(path).record.scores("test")["mse"]
    assert errors[int(0.85 * len(errors) + 1e-9) :].mean() == pytest.approx(stored, rel=1e-4)


def test_export_and_init_from_read_an_old_run(tmp_path):
    path = next(path for path in PATHS if path.parent.name == "mlp_digits" and (path / "checkpoints/best.pt").exists())
    words = [str(path), "--to", "safetensors", "--output", str(tmp_path / "mlp.safetensors"), "--out", str(tmp_path)]
    assert CliRunner().invoke(app, ["export", *words]).exit_code == 0
    words = ["mlp_digits", "model.hidden=[4]", "steps=2", "--init-from", str(path), "--out", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, ["train", *words])
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert json.loads(result.stdout)["init_from"]["anew"] == []


def test_resume_of_an_old_run_is_refused_in_one_error(tmp_path):
    path = next(path for path in PATHS if path.parent.name == "mlp_digits" and (path / "checkpoints/best.pt").exists())
    copy = shutil.copytree(path, tmp_path / "train" / "mlp_digits" / path.name)
    result = CliRunner().invoke(app, ["train", "--resume", str(copy), "steps=5000", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
