"""`dlcli show` and `dlcli list` with runs of every status."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.runs.run import Run

FACTS = {
    "name": None, "tags": ["t"], "task": "digits", "model": "tcn", "seed": 3, "signature": "s", "parameters": 1234,
    "goal": {"metric": "accuracy", "direction": "max"}, "steps": 5, "seconds": 2.0, "argv": ["train", "tcn"],
    "receptive_field": 31, "length": 64,
}  # fmt: skip


def create_run(out, **more):
    return Run.create(out, "train", "tcn", "model: {channels: [4]}\n", **(FACTS | more))


def create_finished_run(out, status="completed", **facts):
    run = create_run(out)
    for step, value in ((10, 0.5), (20, 0.9)):
        run.log(step, "train", {"loss": 100.0 ** (1 - value)})
        run.log(step, "valid", {"loss": 1 - value, "accuracy": value})
    run.finish(status, 0 if status == "completed" else 1, **facts)
    return run


def dlcli(out, *words):
    result = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def test_show_prints_status_scores_and_curves_before_the_configuration(tmp_path):
    run = create_finished_run(tmp_path, metrics={"test": {"accuracy": 0.875}}, reason="steps reached 20")
    text = dlcli(tmp_path, "show", "last", "--config")
    for content in (run.id, "completed", "steps reached 20", "dlcli train tcn", "1,234", "channels: [4]", "0.875"):
        assert content in text
    assert text.index("completed") < text.index("0.875") < text.index("┌") < text.index("channels: [4]")
    assert "channels: [4]" not in dlcli(tmp_path, "show", "last")
    assert "receptive field (31 steps) is shorter than the input window (64): the first 33 steps" in text
    assert text.count("┌") == 2  # loss and accuracy
    assert "accuracy" in text.split("┌")[1] + text.split("┌")[2]


def test_show_draws_the_selected_metric(tmp_path):
    create_finished_run(tmp_path)
    text = dlcli(tmp_path, "show", "1", "--metric", "accuracy")
    assert text.count("┌") == 1
    assert "valid" in text


def test_show_json_contains_record_and_curves(tmp_path):
    run = create_finished_run(tmp_path)
    facts = json.loads(dlcli(tmp_path, "show", run.id[:4], "--json"))
    assert facts["id"] == run.id
    assert facts["curves"]["valid accuracy"] == [[10, 20], [0.5, 0.9]]


def test_show_prints_the_reason_of_a_failure(tmp_path):
    create_finished_run(tmp_path, "failed", reason="RuntimeError: broken on purpose")
    text = dlcli(tmp_path, "show", "last")
    assert "failed" in text
    assert "broken on purpose" in text


def test_show_distinguishes_running_and_lost_runs(tmp_path):
    run = create_run(tmp_path)
    assert "running" in dlcli(tmp_path, "show", "last")
    assert "running" in dlcli(tmp_path, "list", "runs")
    run.close()
    assert "lost" in dlcli(tmp_path, "show", "last")
    assert json.loads(dlcli(tmp_path, "show", "last", "--json"))["status"] == "lost"
    assert "lost" in dlcli(tmp_path, "list", "runs")


def test_show_accepts_truncated_and_missing_files(tmp_path):
    run = create_finished_run(tmp_path)
    with (run.path / "metrics.csv").open("a") as file:
        file.write("30,valid,accu")
    (run.path / "config.yaml").unlink()
    text = dlcli(tmp_path, "show", "last", "--config")
    assert "config.yaml is missing" in text
    (run.path / "metrics.csv").unlink()
    assert run.id in dlcli(tmp_path, "show", "last")


def test_show_skips_nonfinite_values_in_curves(tmp_path):
    run = create_run(tmp_path)
    for step, value in ((1, float("nan")), (2, float("inf")), (3, 1.0)):
        run.log(step, "valid", {"loss": value})
    run.log(4, "valid", {"accuracy": float("nan")})
    run.finish("diverged", 3, reason="loss is nan")
    text = dlcli(tmp_path, "show", "last")
    assert "diverged" in text
    assert "nothing to draw yet" in text


def test_list_runs_is_newest_first_and_parses_as_json_and_csv(tmp_path):
    old, new = create_finished_run(tmp_path), create_finished_run(tmp_path, metrics={"test": {"accuracy": 0.875}})
    listed = json.loads(dlcli(tmp_path, "list", "runs", "--json"))
    assert [run["id"] for run in listed] == [new.id, old.id]
    rows = list(csv.DictReader(io.StringIO(dlcli(tmp_path, "list", "runs", "--csv"))))
    assert [(row["id"], row["test"]) for row in rows] == [(new.id, "0.875"), (old.id, "")]
    text = dlcli(tmp_path, "list", "runs")
    assert text.index(new.id) < text.index(old.id)
    assert "@t" in text


def test_list_runs_includes_children_only_on_request(tmp_path):
    run = create_finished_run(tmp_path)
    child = create_run(tmp_path, parent=run.id)
    child.finish("completed", 0)
    assert child.id not in dlcli(tmp_path, "list", "runs")
    assert child.id in dlcli(tmp_path, "list", "runs", "--children")
    assert run.id in dlcli(tmp_path, "show", child.id)


def test_list_runs_without_runs_names_the_train_command(tmp_path):
    result = CliRunner().invoke(app, ["list", "runs", "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "dlcli train model=tcn" in result.stderr


@pytest.mark.parametrize("kind", ["models", "tasks", "recipes"])
def test_list_prints_one_line_per_member(kind):
    text = CliRunner().invoke(app, ["list", kind]).stdout
    members = json.loads(CliRunner().invoke(app, ["list", kind, "--json"]).stdout)
    assert len(text.splitlines()) == len(members) > 10
    for line, (name, description) in zip(text.splitlines(), members.items(), strict=True):
        assert line.startswith(name)
        assert line.endswith(description)


def test_list_ignores_a_closed_pipe(tmp_path):
    command = f"{sys.executable} -m dlcli list recipes | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
