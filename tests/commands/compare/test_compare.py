"""`dlcli compare runs`: groups of runs that differ only in the seed."""

import csv
import io
import json
import statistics

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.runs.run import Run

GOAL = {"metric": "accuracy", "direction": "max"}


def create_run(out, signature, seed, accuracy, status="completed", **facts):
    """A completed training run."""
    plain = {
        "name": None, "tags": [], "task": "digits", "model": "tcn", "seed": seed, "signature": signature,
        "parameters": 10, "goal": GOAL, "steps": 5, "seconds": 2.0, "words": [f"seed={seed}", "lr=1"],
    }  # fmt: skip
    run = Run.create(out, "train", "tcn", "", **(plain | facts))
    scores = {"accuracy": accuracy, "nll": 1 - accuracy} if accuracy is not None else None
    run.finish(status, 0, metrics={"valid": {"accuracy": 0.0}, "test": scores} if scores else {})
    return run


@pytest.fixture
def out(tmp_path):
    create_run(tmp_path, "a", 0, 0.1)  # an older run of a seed that was run again
    create_run(tmp_path, "a", 0, 0.8)
    create_run(tmp_path, "a", 1, 0.6)
    create_run(tmp_path, "b", 0, 0.9, model="gru")
    create_run(tmp_path, "c", 0, None, status="failed")
    return tmp_path


def compare(out, *words):
    return CliRunner().invoke(app, ["compare", "runs", *map(str, words), "--out", str(out)])


def rows(out, *words):
    """The groups that have a score."""
    return [row for row in json.loads(compare(out, "--json", *words).stdout)["groups"] if row["n"]]


def test_compare_groups_seeds_and_counts_repeated_seeds_once(out):
    best, second = rows(out)
    assert (best["signature"], best["n"], best["mean"], best["std"]) == ("b", 1, 0.9, None)
    assert (second["signature"], second["n"]) == ("a", 2)
    assert second["mean"] == pytest.approx(0.7)
    assert second["std"] == pytest.approx(statistics.stdev([0.8, 0.6]))
    assert sorted(second["seeds"]) == [0, 1]
    assert (second["parameters"], second["seconds"], second["steps"]) == (10, 2.0, 5)


def test_compare_ranks_minimized_metrics_ascending(out):
    assert [row["signature"] for row in rows(out, "--metric", "nll")] == ["b", "a"]
    assert [row["direction"] for row in rows(out, "--metric", "nll")] == ["min", "min"]


def test_compare_reports_runs_without_score(out):
    result = compare(out)
    assert result.exit_code == 0
    assert "excluded" in result.stderr
    assert "failed" in result.stderr


def test_compare_prints_means(out):
    text = compare(out).stdout
    assert all(wanted in text for wanted in ("test accuracy", "0.9", "0.7"))


def test_compare_csv_is_the_only_output(out):
    found = list(csv.DictReader(io.StringIO(compare(out, "--csv").stdout)))
    assert [row["signature"] for row in found][:2] == ["b", "a"]
    assert found[0]["std"] == ""
    assert sorted(found[1]["seeds"].split()) == ["0", "1"]


def test_compare_accepts_selectors(out):
    assert [row["signature"] for row in rows(out, "2")] == ["b"]
    assert {row["n"] for row in rows(out, "3:4")} == {2}


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--metric", "acuracy"], '"accuracy"'),
        (["--split", "tset"], '"test"'),
        (["nosuch"], "nosuch"),
        (["9"], "'9'"),
    ],
)
def test_compare_suggests_the_nearest_name(out, words, fragment):
    result = compare(out, *words)
    assert result.exit_code == 2, result.exception
    assert fragment in result.stderr
    assert result.stdout == ""


def test_compare_excludes_evaluation_runs(out):
    parent = create_run(out, "a", 2, 0.5)
    run = Run.create(out, "eval", "tcn", "", parent=parent.id, goal=GOAL, seed=0, task="digits", model="tcn")
    run.finish("completed", 0, metrics={"test": {"accuracy": 1.0}})
    assert max(row["mean"] for row in rows(out)) == 0.9
    result = compare(out, run.id)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "evaluation by dlcli eval" in result.stderr
    assert "excluded" in compare(out, run.id, "1:5").stderr
