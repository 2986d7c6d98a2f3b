"""Directions and baselines of metrics: stated by run.json, never derived from a name."""

import json

import pytest
from made_runs import make_groups, make_run
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.core.errors import UsageError
from dlcli.report.comparison import history
from dlcli.report.comparison.columns import csv_table, groups_table
from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.page import payload
from dlcli.runs import selectors
from dlcli.runs.run import Run

METRICS = [("return", "max"), ("psnr", "max"), ("precision_loss", "min")]
CASES = pytest.mark.parametrize(("metric", "direction"), METRICS)


def asked(out, **question):
    return compare(selectors.scan(out), ComparisonOptions(**question))


def better_and_worse(out, metric, direction, **more):
    """Eight seeds of two models, the better one is `good`."""
    high = [5.0 + seed / 8 for seed in range(8)]
    low = [1.0 + seed / 8 for seed in range(8)]
    values = {"good": high, "bad": low} if direction == "max" else {"good": low, "bad": high}
    make_groups(out, values, metric=metric, direction=direction, **more)


@CASES
def test_compare_ranks_by_the_stated_direction(tmp_path, metric, direction):
    better_and_worse(tmp_path, metric, direction)
    found = asked(tmp_path)
    assert [row.name for row in found.groups] == ["good", "bad"]
    assert {row.direction for row in found.groups} == {direction}
    ((_, pair),) = found.pairs
    assert (pair.a, found.verdict(pair)) == ("bad", "worse")
    assert "bad significantly worse" in found.sentence


@CASES
def test_compare_ranks_a_second_metric_by_the_stated_direction(tmp_path, metric, direction):
    for model, value in (("high", 2.0), ("low", 1.0)):
        ways = {"accuracy": {"direction": "max"}, metric: {"direction": direction}}
        scores = {"test": {"accuracy": 0.5, metric: value}}
        make_run(tmp_path, model, info={"metrics": scores, "metric_info": ways})
    names = [row.name for row in asked(tmp_path, metric=metric).groups]
    assert names == (["high", "low"] if direction == "max" else ["low", "high"])


@CASES
def test_best_valid_follows_the_stated_direction(tmp_path, metric, direction):
    curve = {10: 1.0, 20: 3.0, 30: 2.0}
    path = make_run(tmp_path, metric=metric, direction=direction, curve=curve, value=2.0, info={"best": None})
    (row,) = asked(tmp_path).groups
    assert (row.best, row.best_step) == ((3.0, 20) if direction == "max" else (1.0, 10))
    assert history.best(Run.open(path), "valid", metric, None) is None


@CASES
def test_best_at_equal_cost_follows_the_stated_direction(tmp_path, metric, direction):
    make_run(tmp_path, metric=metric, direction=direction, curve={10: 1.0, 20: 3.0, 30: 2.0})
    (row,) = asked(tmp_path, x="samples").groups
    assert row.cost["value"] == (3.0 if direction == "max" else 1.0)


@CASES
def test_page_has_the_stated_direction_and_the_baseline(tmp_path, metric, direction):
    better_and_worse(tmp_path, metric, direction, baseline=2.5)
    data = payload.build(asked(tmp_path), "title", "command", None)
    assert [(row["name"], row["direction"], row["baseline"]) for row in data["groups"]] == [
        ("good", direction, 2.5), ("bad", direction, 2.5),
    ]  # fmt: skip
    json.dumps(data, allow_nan=False)


def test_schema_1_metric_outside_the_table_requires_a_direction(tmp_path):
    for model, value in (("a", 1.0), ("b", 2.0)):
        scores = {"test": {"accuracy": 0.5, "psnr": value}}
        make_run(tmp_path, model, identity=f"old{model}00", info={"schema": 1, "metrics": scores})
    with pytest.raises(UsageError) as error:
        asked(tmp_path, metric="psnr")
    assert (error.value.code, error.value.fields["key"]) == ("required", "--direction")
    assert [row.name for row in asked(tmp_path, metric="psnr", direction="max").groups] == ["b", "a"]
    assert [row.name for row in asked(tmp_path, metric="psnr", direction="min").groups] == ["a", "b"]
    asked(tmp_path, metric="accuracy")


def test_direction_option_of_the_command(tmp_path):
    make_run(tmp_path, info={"schema": 1, "metrics": {"test": {"accuracy": 0.5, "psnr": 1.0}}})
    words = ["compare", "runs", "--metric", "psnr", "--json", "--out", str(tmp_path)]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert "--direction" in refused.stderr
    answered = CliRunner().invoke(app, [*words, "--direction", "max"])
    assert json.loads(answered.stdout)["groups"][0]["direction"] == "max"
    wrong = CliRunner().invoke(app, [*words, "--direction", "up"])
    assert wrong.exit_code == 2
    assert "--direction must be max or min" in wrong.stderr


def test_direction_that_contradicts_a_run_is_an_error(tmp_path):
    make_run(tmp_path, metric="psnr", direction="max")
    with pytest.raises(UsageError) as error:
        asked(tmp_path, direction="min")
    assert (error.value.code, error.value.fields["first"]) == ("conflict", "--direction min")


def test_runs_of_one_experiment_with_contradictory_directions_are_an_error(tmp_path):
    for seed, way in enumerate(("max", "min")):
        make_run(tmp_path, seed=seed, metric="psnr", direction=way)
    with pytest.raises(UsageError) as error:
        asked(tmp_path)
    assert error.value.code == "conflict"


def test_run_without_a_known_direction_still_has_a_page(tmp_path):
    from dlcli.report.page import html

    path = make_run(tmp_path, metric="psnr", info={"schema": 1, "goal": {"metric": "psnr"}})
    html.write_run(tmp_path / "page.html", Run.open(path))
    assert "psnr" in (tmp_path / "page.html").read_text()


def test_baseline_is_a_column_of_table_csv_and_json(tmp_path):
    better_and_worse(tmp_path, "psnr", "max", baseline=1.5)
    found = asked(tmp_path)
    table = groups_table(found.groups)
    assert "baseline" in [column.title for column in table.columns]
    assert {row["baseline"] for row in table.rows} == {1.5}
    assert {row["baseline"] for row in csv_table(found).rows} == {1.5}
    assert [row["baseline"] for row in found.plain()["groups"]] == [1.5, 1.5]


def test_group_that_does_not_beat_the_baseline_is_noted(tmp_path):
    make_run(tmp_path, "bad", value=0.1, baseline=0.5)
    make_run(tmp_path, "good", value=0.9, baseline=0.5)
    assert {row.name: row.note for row in asked(tmp_path).groups} == {"good": "", "bad": "not better than the baseline"}


def test_table_without_baselines_has_no_such_column(tmp_path):
    make_run(tmp_path)
    assert "baseline" not in [column.title for column in groups_table(asked(tmp_path).groups).columns]


def test_old_and_new_runs_of_one_metric_are_compared(tmp_path):
    scores = {"test": {"solved": 0.2}, "valid": {"solved": 0.2}}
    goal = {"metric": "solved", "direction": "max"}
    make_run(tmp_path, "old", info={"schema": 1, "goal": goal, "metrics": scores})
    make_run(tmp_path, "new", metric="success_rate", direction="max", value=0.4)
    for metric in (None, "solved", "success_rate"):
        assert [row.name for row in asked(tmp_path, metric=metric).groups] == ["new", "old"]
