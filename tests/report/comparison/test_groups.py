"""Runs in groups: only equal signatures are averaged, a seed counts once, and no run is left out in silence."""

import json
import math

import pytest
from made_runs import make_groups, make_run
from scipy import stats

from dlcli.core.errors import UsageError
from dlcli.report.comparison.groups import group_runs
from dlcli.runs import selectors


def grouped(out, metric=None, split="test", **more):
    return group_runs(selectors.scan(out), metric, split, **more)


def reasons(left):
    return {one.id: one.reason for one in left}


def test_a_group_has_its_mean_interval_and_sizes(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.92, 0.97]})
    ((row,), left) = grouped(tmp_path)
    low, high = stats.t.interval(0.95, 2, row.mean, stats.sem([0.9, 0.92, 0.97]))
    assert (row.name, row.task, row.metric, row.n, row.interval) == ("tcn", "digits", "test accuracy", 3, "t")
    assert row.mean == pytest.approx(0.93)
    assert (row.low, row.high) == (pytest.approx(low), pytest.approx(high))
    assert (row.parameters, row.steps, row.seconds) == (1000, 100, 10.0)
    assert row.arm == {0: 0.9, 1: 0.92, 2: 0.97}
    assert left == []


def test_best_and_last_are_the_valid_curves_with_their_steps(tmp_path):
    for seed, top in enumerate((0.8, 0.6)):
        curve = {10: 0.1, 20: top, 30: top - 0.1}
        make_run(tmp_path, seed=seed, curve=curve, info={"best": {"step": 20, "value": top}})
    ((row,), _) = grouped(tmp_path)
    assert (row.best, row.best_step) == (pytest.approx(0.7), 20)
    assert (row.last, row.last_step) == (pytest.approx(0.6), 30)


def test_different_signatures_are_never_averaged_and_the_keys_that_differ_are_shown(tmp_path):
    for hidden in (8, 16):
        for seed in (0, 1):
            make_run(tmp_path, seed=seed, value=hidden / 20, keys={"model.hidden": hidden, "model.same": 1})
    found, _ = grouped(tmp_path)
    assert [(row.name, row.n, row.mean, row.keys) for row in found] == [
        ("tcn hidden=16", 2, 0.8, {"hidden": 16}),
        ("tcn hidden=8", 2, 0.4, {"hidden": 8}),
    ]


def test_what_follows_the_seed_or_changes_nothing_is_no_column(tmp_path):
    for seed in (0, 1):
        make_run(tmp_path, "tcn", seed, keys={"threads": 1 + seed}, info={"signature": "same"})
        make_run(tmp_path, "gru", seed, keys={"device": f"cuda:{seed}"}, info={"signature": "other"})
    found, _ = grouped(tmp_path)
    assert sorted((row.name, row.n) for row in found) == [("gru", 2), ("tcn", 2)]
    assert all(row.keys == {} for row in found)


def test_equal_configurations_with_other_data_are_told_apart_by_their_signature(tmp_path):
    for mark in "ab":
        make_run(tmp_path, info={"signature": mark * 16})
    found, _ = grouped(tmp_path)
    assert sorted(row.name for row in found) == ["tcn #aaaaaa", "tcn #bbbbbb"]


def test_a_name_counts_when_all_seeds_have_it(tmp_path):
    for seed in (0, 1):
        make_run(tmp_path, "tcn", seed, info={"name": "mine"})
        make_run(tmp_path, "gru", seed, info={"name": f"mine {seed}"})
    assert sorted(row.name for row in grouped(tmp_path)[0]) == ["gru", "mine"]


def test_one_name_on_two_tasks_is_two_names(tmp_path):
    make_run(tmp_path, task="digits")
    make_run(tmp_path, task="adding")
    assert sorted(row.name for row in grouped(tmp_path)[0]) == ["tcn on adding", "tcn on digits"]


def test_a_seed_counts_once_and_the_newest_finished_run_counts(tmp_path):
    make_run(tmp_path, seed=0, value=0.1, identity="oldold")
    make_run(tmp_path, seed=0, value=0.5, identity="newnew")
    make_run(tmp_path, seed=0, identity="failed", info={"status": "failed", "reason": "no disk"})
    make_run(tmp_path, seed=1, value=0.7)
    ((row,), left) = grouped(tmp_path)
    assert (row.n, row.mean, row.note) == (2, pytest.approx(0.6), "")
    assert reasons(left) == {
        "oldold": "seed 0 is already represented by the newer run newnew",
        "failed": "failed: no disk",
    }


@pytest.mark.parametrize("status", ["failed", "diverged", "stopped", "preempted", "running"])
def test_runs_that_did_not_end_are_marked_and_said(tmp_path, status):
    make_run(tmp_path, seed=0)
    make_run(tmp_path, seed=1, identity="broken", info={"status": status, "metrics": {}, "host": "elsewhere"})
    ((row,), left) = grouped(tmp_path)
    assert (row.n, row.note, row.arm) == (1, f"1 {status}", {0: 0.9, 1: None})
    assert reasons(left) == {"broken": status}


def test_a_group_without_a_finished_run_is_a_row_all_the_same(tmp_path):
    make_run(tmp_path, "gru", info={"status": "failed", "metrics": {}})
    make_run(tmp_path, "tcn")
    found, _ = grouped(tmp_path)
    assert [(row.name, row.n, row.mean, row.note) for row in found] == [
        ("tcn", 1, 0.9, ""),
        ("gru", 0, None, "1 failed"),
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_are_counted_out_and_said(tmp_path, value):
    make_groups(tmp_path, {"tcn": [0.8, 0.9]})
    make_run(tmp_path, seed=2, value=value, identity="strange", info={"best": None})
    ((row,), left) = grouped(tmp_path)
    assert (row.n, row.mean, row.note) == (2, pytest.approx(0.85), "1 not finite")
    assert row.arm[2] is None
    assert reasons(left) == {"strange": f"test accuracy is {value}"}
    json.dumps(row.plain(), allow_nan=False)


def test_equal_values_are_marked(tmp_path):
    make_groups(tmp_path, {"tcn": [0.5, 0.5, 0.5]})
    ((row,), _) = grouped(tmp_path)
    assert (row.low, row.high, row.degenerate, row.note) == (0.5, 0.5, True, "equal values")


def test_a_metric_that_some_did_not_log_marks_the_others(tmp_path):
    make_run(tmp_path, "tcn", info={"metrics": {"test": {"accuracy": 0.9, "auc": 0.7}}})
    make_run(tmp_path, "gru", identity="without")
    found, left = grouped(tmp_path, metric="auc")
    assert [(row.name, row.n, row.note) for row in found] == [("tcn", 1, ""), ("gru", 0, "1 without the metric")]
    assert reasons(left) == {"without": "no test auc logged"}
    assert found[0].direction == "max"


@pytest.mark.parametrize(
    ("options", "known"),
    [({"metric": "acuracy"}, "accuracy"), ({"split": "tset"}, "test"), ({"metric": "zzz"}, "accuracy")],
)
def test_group_unknown_metric_or_split_raises_usage_error(tmp_path, options, known):
    make_run(tmp_path)
    with pytest.raises(UsageError) as error:
        grouped(tmp_path, **options)
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", *options.values())
    assert known in error.value.fields["known"]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"signature": None}, "no signature"),
        ({"seed": "one"}, "seed must be an integer, got 'one'"),
        ({"seed": True}, "seed must be an integer, got True"),
        ({"seed": None}, "no seed"),
        ({"verb": "eval"}, "evaluation by dlcli eval"),
        ({"goal": None}, "no main metric"),
        ({"goal": "accuracy"}, "no main metric"),
        ({"metrics": {}}, "no scores on test"),
        ({"metrics": {"test": None}}, "no scores on test"),
        ({"metrics": {"test": {"accuracy": "high"}}}, "test accuracy must be a number, got 'high'"),
        ({"metrics": {"test": {"accuracy": True}}}, "test accuracy must be a number, got True"),
    ],
)
def test_odd_run_files_are_left_out_with_the_reason(tmp_path, facts, told):
    make_run(tmp_path, "gru", identity="sound")
    make_run(tmp_path, identity="oddodd", info=facts)
    _, left = grouped(tmp_path)
    assert [one.id for one in left] == ["oddodd"]
    assert told in left[0].reason


@pytest.mark.parametrize(
    "facts",
    [
        {"parameters": None}, {"seconds": None, "steps": None}, {"best": "x"}, {"best": {"value": None}}, {"name": 7},
        {"counters": None}, {"task": None, "model": None}, {"best": {"step": None, "value": 0.5}}, {"tags": None},
    ],
)  # fmt: skip
def test_facts_that_are_missing_leave_holes_only(tmp_path, facts):
    make_run(tmp_path, info=facts)
    ((row,), left) = grouped(tmp_path)
    assert (row.n, row.mean, left) == (1, 0.9, [])


def test_twenty_seeds_take_bca_and_the_kind_can_be_asked_for(tmp_path):
    make_groups(tmp_path, {"tcn": [0.5 + seed**2 / 1000 for seed in range(20)]})
    assert grouped(tmp_path)[0][0].interval == "bca"
    asked = grouped(tmp_path, kind="t")[0][0]
    assert asked.interval == "t"
    assert asked.low != grouped(tmp_path)[0][0].low


def test_an_unreadable_configuration_is_compared_with_nothing(tmp_path):
    (make_run(tmp_path, "gru") / "config.yaml").write_text("][")
    make_run(tmp_path, "tcn")
    found, _ = grouped(tmp_path)
    assert {row.name: row.comparable for row in found} == {"gru": False, "tcn": True}
    assert any("unreadable" in row.yardstick for row in found)


def test_zero_runs_are_no_groups():
    assert group_runs([], None, "test") == ([], [])


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("][")])
def test_a_configuration_of_one_seed_that_cannot_be_read_is_marked(tmp_path, damage):
    paths = make_groups(tmp_path, {"tcn": [0.5, 0.6, 0.7]})
    damage(paths[0] / "config.yaml")
    ((row,), _) = grouped(tmp_path)
    assert (row.n, row.note) == (3, "config.yaml unreadable: 1 of 3")


def test_rows_of_one_seed_that_are_missing_or_cut_short_are_marked(tmp_path):
    paths = make_groups(tmp_path, {"tcn": [0.5, 0.6, 0.7, 0.8]})
    (paths[0] / "metrics.csv").unlink()
    whole = (paths[1] / "metrics.csv").read_text()
    (paths[1] / "metrics.csv").write_text(whole[:-3])
    (paths[2] / "metrics.csv").write_text("".join(whole.splitlines(keepends=True)[:5]))
    ((row,), _) = grouped(tmp_path)
    assert (row.n, row.note) == (4, "metrics.csv missing or truncated: 3 of 4")


def test_nothing_in_a_name_is_null(tmp_path):
    for act in (None, "relu"):
        make_run(tmp_path, keys={"model.act": act})
    assert {row.name for row in grouped(tmp_path)[0]} == {"tcn act=null", "tcn act=relu"}
