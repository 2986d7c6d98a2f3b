"""metrics.csv and timing.csv, read as far as needed."""

import math

import pytest
from made_runs import make_run

from dlcli.core.errors import UsageError
from dlcli.report.comparison import history
from dlcli.report.comparison.history import CurvePoint
from dlcli.runs.run import Run

HEAD = "step,split,metric,value\n"


def run_with(tmp_path, text, **more):
    path = make_run(tmp_path, **more)
    (path / "metrics.csv").write_text(HEAD + text)
    return Run.open(path)


def test_the_last_value_is_found_from_the_end_however_far_away(tmp_path):
    noise = "".join(f"{step},train,loss,0.5\n" for step in range(20, 90_000))
    run = run_with(tmp_path, f"5,valid,accuracy,0.25\n10,valid,accuracy,0.5\n{noise}")
    assert history.last(run, "valid", "accuracy") == CurvePoint(0.5, 10)
    assert history.last(run, "train", "loss") == CurvePoint(0.5, 89_999)
    assert history.last(run, "valid", "nll") is None


def test_a_line_that_was_cut_short_is_no_value(tmp_path):
    run = run_with(tmp_path, "10,valid,accuracy,0.5\n20,valid,accuracy,0.97"[:-1])  # 0.9 of 0.97
    assert history.last(run, "valid", "accuracy") == CurvePoint(0.5, 10)
    assert history.curve(run, "valid", "accuracy") == ([10], [0.5])
    assert history.curves(run) == {"valid accuracy": ([10], [0.5])}


def test_lines_that_are_no_rows_are_passed_over(tmp_path):
    run = run_with(tmp_path, "x,valid,accuracy,1\n3,valid,accuracy,abc\n4,valid\n\n5,valid,accuracy,0.5\n")
    assert history.curves(run)["valid accuracy"] == ([5], [0.5])
    assert history.curve(run, "valid", "accuracy") == ([5], [0.5])


def test_a_metric_whose_name_ends_another_is_not_taken_for_it(tmp_path):
    run = run_with(tmp_path, "1,valid,accuracy,0.5\n2,valid,top accuracy,0.9\n3,train,accuracy,0.7\n")
    assert history.last(run, "valid", "accuracy") == CurvePoint(0.5, 1)


def test_the_best_value_of_the_main_metric_is_the_checkpoints(tmp_path):
    run = run_with(tmp_path, "1,valid,accuracy,0.5\n", info={"best": {"step": 7, "value": 0.9}})
    assert history.best(run, "valid", "accuracy", "max") == CurvePoint(0.9, 7)


def test_the_best_value_of_another_metric_is_looked_for_among_finite_ones(tmp_path):
    run = run_with(tmp_path, "1,valid,nll,2.0\n2,valid,nll,nan\n3,valid,nll,-inf\n4,valid,nll,0.5\n5,valid,nll,0.7\n")
    assert history.best(run, "valid", "nll", "min") == CurvePoint(0.5, 4)
    assert history.best(run, "valid", "nothing", "min") is None


def test_missing_files_are_no_curves(tmp_path):
    path = make_run(tmp_path, info={"counters": None, "seconds": None})
    for name in ("metrics.csv", "timing.csv"):
        (path / name).unlink()
    run = Run.open(path)
    assert history.curves(run) == {}
    assert history.curve(run, "valid", "accuracy") == ([], [])
    assert history.last(run, "valid", "accuracy") is None
    assert history.counters(run) == {}


def test_a_counter_grows_evenly_between_what_was_noted(tmp_path):
    path = make_run(tmp_path, info={"steps": 40, "counters": {"samples": 1000}, "seconds": 9.0})
    (path / "timing.csv").write_text("step,seconds,counter,value\n10,1.0,samples,100\n20,3.0,samples,300\nhalf")
    run = Run.open(path)
    assert history.convert_steps(run, "samples", [0, 5, 10, 15, 30, 40, 50]) == [0, 50, 100, 200, 650, 1000, 1000]
    assert history.convert_steps(run, "seconds", [15]) == [2.0]
    assert history.convert_steps(run, None, [1, 2]) == history.convert_steps(run, "steps", [1, 2]) == [1, 2]
    with pytest.raises(UsageError) as error:
        history.convert_steps(run, "sample", [1])
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "sample")
    assert "samples" in error.value.fields["known"]


def test_values_that_are_no_numbers_stay_in_the_curve(tmp_path):
    _, values = history.curve(run_with(tmp_path, "1,valid,accuracy,nan\n2,valid,accuracy,inf\n"), "valid", "accuracy")
    assert math.isnan(values[0])
    assert values[1] == math.inf


def test_large_files_are_parsed_as_small_ones(tmp_path, monkeypatch):
    path = make_run(tmp_path)
    rows = [f"{n},{split},{name},{n / 7 if n % 5 else 'nan'}" for n in range(30) for split, name in SERIES]
    (path / "metrics.csv").write_text("\n".join(["step,split,metric,value", *rows, "31,train,lo"]))
    run = Run.open(path)
    small = history.curves(run)
    monkeypatch.setattr(history, "_LARGE", 0)
    monkeypatch.setattr(history, "_parse_lines", None)
    large = history.curves(run)
    assert list(large) == list(small) == [f"{split} {name}" for split, name in SERIES]
    assert repr(large) == repr(small)
    assert list(history.curves(run, ["loss"])) == ["train loss"]


SERIES = (("train", "loss"), ("valid", "NA"), ("valid", "accuracy"))


def test_large_file_with_malformed_lines_is_read_line_by_line(tmp_path, monkeypatch):
    path = make_run(tmp_path)
    (path / "metrics.csv").write_text("step,split,metric,value\n1,train,loss,0.5\n2,train,loss,x\n3,train,loss,0.25\n")
    monkeypatch.setattr(history, "_LARGE", 0)
    assert history.curves(Run.open(path)) == {"train loss": ([1, 3], [0.5, 0.25])}
