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


def made(out, signature, seed, accuracy, status="completed", **facts):
    """A finished run as training leaves it."""
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
    made(tmp_path, "a", 0, 0.1)  # an older run of a seed that was run again
    made(tmp_path, "a", 0, 0.8)
    made(tmp_path, "a", 1, 0.6)
    made(tmp_path, "b", 0, 0.9, model="gru")
    made(tmp_path, "c", 0, None, status="failed")
    return tmp_path


def compare(out, *words):
    return CliRunner().invoke(app, ["compare", "runs", *map(str, words), "--out", str(out)])


def rows(out, *words):
    """The groups that have a score."""
    return [row for row in json.loads(compare(out, "--json", *words).stdout)["groups"] if row["n"]]


def test_runs_that_differ_only_in_the_seed_are_one_row_and_a_repeated_seed_counts_once(out):
    best, second = rows(out)
    assert (best["signature"], best["n"], best["mean"], best["std"]) == ("b", 1, 0.9, None)
    assert (second["signature"], second["n"]) == ("a", 2)
    assert second["mean"] == pytest.approx(0.7)
    assert second["std"] == pytest.approx(statistics.stdev([0.8, 0.6]))
    assert sorted(second["seeds"]) == [0, 1]
    assert (second["parameters"], second["seconds"], second["steps"]) == (10, 2.0, 5)


def test_a_metric_that_should_be_small_is_ranked_the_other_way(out):
    assert [row["signature"] for row in rows(out, "--metric", "nll")] == ["b", "a"]
    assert [row["direction"] for row in rows(out, "--metric", "nll")] == ["min", "min"]


def test_runs_without_a_score_are_named_on_standard_error(out):
    result = compare(out)
    assert result.exit_code == 0
    assert "left out" in result.stderr
    assert "failed" in result.stderr


def test_the_table_has_the_numbers(out):
    text = compare(out).stdout
    assert all(wanted in text for wanted in ("test accuracy", "0.9", "0.7"))


def test_csv_alone_is_on_standard_output_and_parses(out):
    found = list(csv.DictReader(io.StringIO(compare(out, "--csv").stdout)))
    assert [row["signature"] for row in found][:2] == ["b", "a"]
    assert found[0]["std"] == ""
    assert sorted(found[1]["seeds"].split()) == ["0", "1"]


def test_selectors_choose(out):
    assert [row["signature"] for row in rows(out, "2")] == ["b"]
    assert {row["n"] for row in rows(out, "3:4")} == {2}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--metric", "acuracy"], '"accuracy"'),
        (["--split", "tset"], '"test"'),
        (["nosuch"], "nosuch"),
        (["9"], "'9'"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest(out, words, told):
    result = compare(out, *words)
    assert result.exit_code == 2, result.exception
    assert told in result.stderr
    assert result.stdout == ""


def test_a_scoring_stands_beside_its_run_and_is_no_group(out):
    parent = made(out, "a", 2, 0.5)
    run = Run.create(out, "eval", "tcn", "", parent=parent.id, goal=GOAL, seed=0, task="digits", model="tcn")
    run.finish("completed", 0, metrics={"test": {"accuracy": 1.0}})
    assert max(row["mean"] for row in rows(out)) == 0.9
    result = compare(out, run.id)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "evaluation by dlcli eval" in result.stderr
    assert "left out" in compare(out, run.id, "1:5").stderr
