"""Typed record of run.json: schema 2, and schema 1 of dlcli 0.1.0."""

import pytest

from dlcli.core.errors import UsageError
from dlcli.runs.record import (
    ALIASES,
    FROZEN_DIRECTIONS,
    SCHEMA,
    Best,
    MetricInfo,
    Record,
    check,
    current_name,
    frozen_direction,
)  # fmt: skip

INFO = {
    "schema": 2, "id": "abcdef", "verb": "train", "label": "tcn", "status": "completed", "host": "here", "pid": 1,
    "started": "2026-01-01T10:00:00+00:00", "metrics": {"test": {"psnr": 30.0, "mse": 0.1}},
    "goal": {"metric": "psnr", "direction": "max"}, "best": {"value": 31, "step": 20},
    "metric_info": {"psnr": {"direction": "max", "unit": "dB", "baseline": 20}, "mse": {"direction": "min"}},
}  # fmt: skip


def old(**changes):
    info = {name: value for name, value in INFO.items() if name != "metric_info"}
    return Record(info | {"schema": 1} | changes)


def test_metric_info_states_direction_unit_and_baseline():
    record = Record(INFO)
    assert record.metric_info("psnr") == MetricInfo("max", "dB", 20)
    assert record.metric_info("mse") == MetricInfo("min", "", None)
    assert (record.direction("psnr"), record.direction("mse")) == ("max", "min")
    assert (record.baseline("psnr", "test"), record.baseline("mse", "test")) == (20, None)
    assert (record.metric, record.best) == ("psnr", Best(31, 20))


def test_metric_info_precedes_goal_and_frozen_table():
    ways = {"accuracy": {"direction": "min"}}
    record = Record(INFO | {"metric_info": ways, "goal": {"metric": "accuracy", "direction": "max"}})
    assert record.direction("accuracy") == "min"


def test_schema_2_does_not_use_the_frozen_table():
    assert Record(INFO).direction("accuracy") is None


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("psnr", "max"), ("nll", "min"), ("accuracy", "max"), ("return", "max"), ("solved", "max"), ("tau", "max"),
        ("success_rate", "max"), ("found_accuracy", "max"), ("hand_made_nll", "min"), ("random_solved", "max"),
        ("network_nll", "min"), ("length", None), ("precision_loss", None), ("network_length", None),
    ],
)  # fmt: skip
def test_schema_1_takes_directions_from_goal_and_frozen_table(metric, direction):
    assert old().direction(metric) == direction


def test_schema_1_has_present_metric_names():
    record = old(
        metrics={"test": {"solved": 1.0, "mse": 0.1, "mse_persistence": 0.4}},
        goal={"metric": "solved", "direction": "max"},
    )
    assert record.metric == "success_rate"
    assert record.scores("test") == {"success_rate": 1.0, "mse": 0.1, "mse_last_value": 0.4}
    assert record.baseline("mse", "test") == 0.4
    assert record.logged_name("success_rate") == "solved"
    assert Record(INFO).logged_name("success_rate") == "success_rate"


def test_aliases_name_metrics_of_the_frozen_table():
    assert set(ALIASES.values()) <= FROZEN_DIRECTIONS.keys()
    assert not ALIASES.keys() & FROZEN_DIRECTIONS.keys()
    assert all(frozen_direction(before) == frozen_direction(after) for before, after in ALIASES.items())


@pytest.mark.parametrize(
    ("name", "value", "missing"),
    [
        ("seed", True, None), ("seed", "1", None), ("tags", "a", []), ("argv", 3, []), ("counters", [1], {}),
        ("steps", 1.5, None), ("seconds", "1", None), ("signature", 3, None), ("best", [], None),
        ("best", {"value": 1.0, "step": "2"}, None), ("init_from", "x", None), ("parameters", None, None),
        ("parent", 5, None),
    ],
)  # fmt: skip
def test_field_of_a_wrong_type_reads_as_missing(name, value, missing):
    assert getattr(Record(INFO | {name: value}), name) == missing


def test_damaged_goal_and_metric_info_read_as_missing():
    record = Record(INFO | {"goal": [], "metric_info": {"psnr": 3}})
    assert (record.metric, record.direction("psnr"), record.metric_info("psnr")) == (None, None, None)
    assert Record(INFO | {"metric_info": {"psnr": {"direction": "up"}}, "goal": None}).direction("psnr") is None


def test_scores_of_a_split_that_is_no_mapping_are_missing():
    assert Record(INFO | {"metrics": {"test": [1]}}).scores("test") is None
    assert Record(INFO).scores("valid") is None


def test_check_accepts_both_schemas_and_rejects_newer_and_damaged(tmp_path):
    check(INFO, tmp_path)
    check(INFO | {"schema": 1}, tmp_path)
    for info, code, problem in (
        ([], "damaged", ""), (INFO | {"schema": SCHEMA + 1}, "invalid_data", f"schema {SCHEMA + 1}"),
        (INFO | {"pid": "1"}, "damaged", "pid"), (INFO | {"started": "soon"}, "damaged", "started"),
        ({"schema": 2}, "damaged", "id, verb"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as error:
            check(info, tmp_path)
        assert (error.value.code, error.value.fields["path"]) == (code, f"{tmp_path}/run.json")
        assert problem in error.value.fields["problem"]


def test_present_name_prefers_the_name_as_given():
    assert current_name("tau", {"tau", "kendall_tau"}) == "tau"
    assert current_name("tau", {"kendall_tau"}) == "kendall_tau"
    assert current_name("tau", {"accuracy"}) == "tau"
