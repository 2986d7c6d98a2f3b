"""`dlcli show` and `dlcli list runs`: runs in every state."""

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


def made(out, **more):
    return Run.create(out, "train", "tcn", "model: {channels: [4]}\n", **(FACTS | more))


def finished(out, status="completed", **facts):
    run = made(out)
    for step, value in ((10, 0.5), (20, 0.9)):
        run.log(step, "train", {"loss": 100.0 ** (1 - value)})
        run.log(step, "valid", {"loss": 1 - value, "accuracy": value})
    run.finish(status, 0 if status == "completed" else 1, **facts)
    return run


def dlcli(out, *words):
    result = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def test_a_completed_run_shows_configuration_reach_scores_and_curves(tmp_path):
    run = finished(tmp_path, metrics={"test": {"accuracy": 0.875}}, reason="steps reached 20")
    text = dlcli(tmp_path, "show", "last")
    for wanted in (run.id, "completed", "steps reached 20", "dlcli train tcn", "1,234", "channels: [4]", "0.875"):
        assert wanted in text
    assert "receptive field (31 steps) is shorter than the input window (64): the first 33 steps" in text
    assert text.count("┌") == 2  # loss and accuracy
    assert "accuracy" in text.split("┌")[1] + text.split("┌")[2]


def test_one_metric_is_drawn_when_it_is_named(tmp_path):
    finished(tmp_path)
    text = dlcli(tmp_path, "show", "1", "--metric", "accuracy")
    assert text.count("┌") == 1
    assert "valid" in text


def test_json_has_the_facts_and_the_curves(tmp_path):
    run = finished(tmp_path)
    facts = json.loads(dlcli(tmp_path, "show", run.id[:4], "--json"))
    assert facts["id"] == run.id
    assert facts["curves"]["valid accuracy"] == [[10, 20], [0.5, 0.9]]


def test_a_failed_run_shows_why(tmp_path):
    finished(tmp_path, "failed", reason="RuntimeError: broken on purpose")
    text = dlcli(tmp_path, "show", "last")
    assert "failed" in text
    assert "broken on purpose" in text


def test_a_run_that_goes_on_and_one_whose_process_is_gone(tmp_path):
    run = made(tmp_path)
    assert "running" in dlcli(tmp_path, "show", "last")
    assert "running" in dlcli(tmp_path, "list", "runs")
    run.close()
    assert "lost" in dlcli(tmp_path, "show", "last")
    assert json.loads(dlcli(tmp_path, "show", "last", "--json"))["status"] == "lost"
    assert "lost" in dlcli(tmp_path, "list", "runs")


def test_a_run_killed_while_it_wrote_is_still_shown(tmp_path):
    run = finished(tmp_path)
    with (run.path / "metrics.csv").open("a") as file:
        file.write("30,valid,accu")
    (run.path / "config.yaml").unlink()
    text = dlcli(tmp_path, "show", "last")
    assert "config.yaml is missing" in text
    (run.path / "metrics.csv").unlink()
    assert run.id in dlcli(tmp_path, "show", "last")


def test_infinite_and_missing_values_are_left_out_of_a_curve(tmp_path):
    run = made(tmp_path)
    for step, value in ((1, float("nan")), (2, float("inf")), (3, 1.0)):
        run.log(step, "valid", {"loss": value})
    run.log(4, "valid", {"accuracy": float("nan")})
    run.finish("diverged", 3, reason="loss is nan")
    text = dlcli(tmp_path, "show", "last")
    assert "diverged" in text
    assert "nothing to draw yet" in text


def test_the_list_is_newest_first_and_parses_as_json_and_csv(tmp_path):
    old, new = finished(tmp_path), finished(tmp_path, metrics={"test": {"accuracy": 0.875}})
    found = json.loads(dlcli(tmp_path, "list", "runs", "--json"))
    assert [run["id"] for run in found] == [new.id, old.id]
    rows = list(csv.DictReader(io.StringIO(dlcli(tmp_path, "list", "runs", "--csv"))))
    assert [(row["id"], row["test"]) for row in rows] == [(new.id, "0.875"), (old.id, "")]
    text = dlcli(tmp_path, "list", "runs")
    assert text.index(new.id) < text.index(old.id)
    assert "@t" in text


def test_runs_of_others_are_listed_only_when_asked_for(tmp_path):
    run = finished(tmp_path)
    child = made(tmp_path, parent=run.id)
    child.finish("completed", 0)
    assert child.id not in dlcli(tmp_path, "list", "runs")
    assert child.id in dlcli(tmp_path, "list", "runs", "--children")
    assert run.id in dlcli(tmp_path, "show", child.id)


def test_no_run_at_all_says_how_to_make_one(tmp_path):
    result = CliRunner().invoke(app, ["list", "runs", "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "dlcli train model=tcn" in result.stderr


@pytest.mark.parametrize("kind", ["models", "tasks", "recipes"])
def test_every_member_has_a_line(kind):
    text = CliRunner().invoke(app, ["list", kind]).stdout
    members = json.loads(CliRunner().invoke(app, ["list", kind, "--json"]).stdout)
    assert len(text.splitlines()) == len(members) > 10
    for line, (name, words) in zip(text.splitlines(), members.items(), strict=True):
        assert line.startswith(name)
        assert line.endswith(words)


def test_a_pipe_that_is_closed_early_is_no_error(tmp_path):
    command = f"{sys.executable} -m dlcli list recipes | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, env=os.environ)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
