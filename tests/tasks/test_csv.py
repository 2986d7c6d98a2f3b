"""CSV series: windows, splits without leakage, and errors."""

import itertools
import logging

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import predict, score
from dlcli.core.spec import Classes, Real
from dlcli.tasks.sequence.csv_series import CsvSeries

DEFAULTS = {
    "target": "sales",
    "window": 4,
    "horizon": 1,
    "kind": "auto",
    "time": None,
    "group": None,
    "gaps": "break",
    "max_gap": 3,
    "missing": "ffill",
    "max_categories": 5,
    "fractions": [0.6, 0.2, 0.2],
    "batch": 8,
    "order": 0,
    "fitted": None,
}


@pytest.fixture
def series(tmp_path):
    """Makes the task from a frame, or from the text of a file."""

    def make(frame, **options):
        path = tmp_path / "series.csv"
        path.write_text(frame if isinstance(frame, str) else frame.to_csv(index=False))
        return CsvSeries(**(DEFAULTS | {"path": str(path)} | options))

    return make


def shop(rows=60, start="2024-01-01"):
    """Sales that count up by 10 from 100, a price that alternates, the weather."""
    count = np.arange(rows)
    return pd.DataFrame(
        {
            "day": pd.date_range(start, periods=rows).strftime("%Y-%m-%d"),
            "price": 3.0 + count % 2,
            "weather": np.array(["sun", "rain", "snow"])[count % 3],
            "sales": 100.0 + 10 * count,
        }
    )


def whole(task, split):
    """Inputs, target and end rows of a split, in the order of the rows."""
    batches = [task.batch(split, index) for index in range(task.size(split))]
    ends = torch.cat([batch.index for batch in batches])
    inputs, target = torch.cat([b.inputs[0] for b in batches]), torch.cat([b.target for b in batches])
    order = ends.argsort()
    return inputs[order], target[order], ends[order]


def units(task, scaled):
    """Values of the target in the data's units."""
    values = scaled.double() * task.fitted["std"][0] + task.fitted["mean"][0]
    return values.round(decimals=2).tolist()


def times_of(task, split):
    return predict(Last(task), task, [task.batch(split, index) for index in range(task.size(split))])["time"]


class Last(nn.Module):
    """The target's last value and a step of the ramp for each step ahead: perfect on `shop`."""

    def __init__(self, task, horizon=1, slope=10.0):
        super().__init__()
        self.ahead = slope / task.fitted["std"][0] * torch.arange(1, horizon + 1)

    def forward(self, x):
        return x[:, 0, -1:] + self.ahead


class Fixed(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def forward(self, x):
        return torch.eye(self.units)[torch.zeros(len(x), dtype=torch.long)]


def test_a_window_is_the_last_rows_and_the_target_what_follows(series):
    task = series(shop(), horizon=2)
    assert task.spec.inputs == (Real((5, 4)),)
    assert task.spec.target == Real((2,))
    assert task.fitted["numeric"] == ["sales", "price"]
    x, y, _ = whole(task, "train")
    assert units(task, x[0, 0]) == [100, 110, 120, 130]
    assert units(task, y[0]) == [140, 150]
    assert x[0, 2:].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 1]]  # rain, snow, sun


def test_splits_are_chronological_and_share_no_target(series):
    task = series(shop(), horizon=3)
    targets = {split: units(task, whole(task, split)[1]) for split in ("train", "valid", "test")}
    values = {split: {value for row in rows for value in row} for split, rows in targets.items()}
    assert max(values["train"]) < min(values["valid"])
    assert max(values["valid"]) < min(values["test"])
    assert max(values["test"]) == 690
    assert units(task, whole(task, "valid")[0][0, 0])[0] <= max(values["train"])  # looks back at train's inputs


def test_the_future_reaches_neither_training_windows_nor_statistics(series):
    plain, spoiled = shop(), shop()
    first = series(plain)
    begin = int(whole(first, "valid")[2][0]) + 1
    spoiled.loc[begin:, ["sales", "price"]] = 1e9
    spoiled.loc[begin:, "weather"] = "meteor"
    second = series(spoiled)
    assert first.fitted == second.fitted
    for before, after in zip(whole(first, "train"), whole(second, "train"), strict=True):
        assert torch.equal(before, after)


def test_statistics_are_those_of_the_rows_before_valid(series):
    task = series(shop())
    begin = int(whole(task, "valid")[2][0]) + 1
    sales = shop()["sales"][:begin]
    assert task.fitted["mean"][0] == pytest.approx(sales.mean())
    assert task.fitted["std"][0] == pytest.approx(sales.std(ddof=0))


@pytest.mark.parametrize("horizon", [1, 3])
def test_a_perfect_forecast_scores_zero_and_persistence_what_a_hand_computes(series, horizon):
    task = series(shop(), horizon=horizon)
    scores = score(Last(task, horizon), task, "test")
    assert scores["mse"] == pytest.approx(0, abs=1e-4)
    assert scores["mse_last_value"] == pytest.approx(np.mean([(10 * k) ** 2 for k in range(1, horizon + 1)]), rel=1e-4)


def test_predictions_name_the_time_in_the_units_of_the_data(series):
    task = series(shop(), horizon=2)
    table = predict(Last(task, 2), task, [task.batch("all", 0)])
    assert list(table) == ["time", *(f"sales_{what}_{step}" for step in (1, 2) for what in ("prediction", "target"))]
    assert table["time"][0] == "2024-01-04"
    assert table["sales_target_2"][0] == pytest.approx(150)
    assert table["sales_prediction_2"][0] == pytest.approx(150)


def test_the_future_is_the_last_window_with_an_empty_target(series):
    task = series(shop())
    table = predict(Last(task), task, [task.batch("future", 0)])
    assert table["time"] == ["2024-02-29"]
    assert table["sales_prediction"] == [pytest.approx(700)]
    assert table["sales_target"] == [None]
    waiting = shop()
    waiting.loc[58:, "sales"] = None
    task = series(waiting)
    assert predict(Last(task), task, [task.batch("future", 0)])["sales_prediction"] == [pytest.approx(680)]


def test_rows_are_sorted_by_the_time_column(series):
    shuffled = shop().sample(frac=1, random_state=0)
    for one, other in zip(whole(series(shop()), "train"), whole(series(shuffled, time="day"), "train"), strict=True):
        assert torch.equal(one, other)


def test_without_times_the_order_of_the_file_counts(series):
    task = series(shop()[["sales"]])
    assert task.fitted["time"] == []
    assert predict(Last(task), task, [task.batch("all", 0)])["row"][0] == 4


def test_day_first_dates_are_read(series):
    frame = shop()
    frame["day"] = pd.to_datetime(frame["day"]).dt.strftime("%d/%m/%Y")
    assert series(frame).fitted["time"] == ["day"]


@pytest.mark.parametrize("rule", ["break", "fill"])
def test_no_window_spans_a_gap_unless_it_is_filled(series, caplog, rule):
    frame = shop().drop(index=[10, 11, 30, 31, 32, 33, 34])
    with caplog.at_level(logging.INFO, "dlcli"):
        task = series(frame, gaps=rule, max_gap=2)
    assert "7 missing time steps in 2 gaps" in caplog.text
    x, y, _ = whole(task, "all")
    rows = [[*units(task, one), *units(task, two)] for one, two in zip(x[:, 0], y, strict=True)]
    jumps = {round(b - a) for row in rows for a, b in itertools.pairwise(row)}
    assert jumps == ({10} if rule == "break" else {0, 10, 30})
    assert all(row[-1] != row[-2] for row in rows)  # a filled value is never a target


def test_months_are_regular_and_business_days_count_as_rows(series, caplog):
    for frequency in ("MS", "B"):
        frame = shop()
        frame["day"] = pd.date_range("2024-01-01", periods=60, freq=frequency).strftime("%Y-%m-%d")
        with caplog.at_level(logging.INFO, "dlcli"):
            assert len(whole(series(frame), "all")[2]) == 56
        assert "missing time steps" not in caplog.text
    assert "irregular" in caplog.text


def test_windows_stay_in_their_group(series):
    parts = []
    for number, name in enumerate(("north", "south", "west")):
        part = shop(30)
        part["sales"] += 10_000 * number
        parts.append(part.assign(shop=name))
    task = series(pd.concat(parts), group="shop")
    x, y, _ = whole(task, "all")
    assert len(x) == 3 * 26
    rows = torch.tensor(units(task, torch.cat([x[:, 0], y], 1)))
    assert (rows[:, -1] - rows[:, 0]).allclose(torch.tensor(40.0, dtype=rows.dtype), atol=0.05)
    assert len(whole(task, "future")[2]) == 3
    table = predict(Last(task), task, [task.batch("future", 0)])
    assert table["group"] == ["north", "south", "west"]
    assert table["sales_prediction"] == pytest.approx([400, 10400, 20400], rel=1e-4)
    times = {name: times_of(task, name) for name in ("train", "valid", "test")}
    assert max(times["train"]) < min(times["valid"])
    assert max(times["valid"]) < min(times["test"])


@pytest.mark.parametrize(("rule", "expected"), [("ffill", 3.0), ("mean", None)])
def test_missing_values_are_filled_from_the_past(series, caplog, rule, expected):
    frame = shop()
    frame["price"] = frame["price"].mask(frame.index == 5)
    with caplog.at_level(logging.INFO, "dlcli"):
        task = series(frame, missing=rule)
    assert "1 in 'price'" in caplog.text
    x, _, ends = whole(task, "all")
    value = x[ends == 5][0, 1, -1].item() * task.fitted["std"][1] + task.fitted["mean"][1]
    assert value == pytest.approx(task.fitted["mean"][1] if expected is None else expected)


def test_a_missing_target_is_no_target(series):
    frame = shop()
    frame["sales"] = frame["sales"].mask(frame.index == 20)
    assert 19 not in whole(series(frame), "all")[2].tolist()
    with pytest.raises(UsageError) as error:
        series(frame, missing="error")
    assert error.value.code == "invalid_data"
    assert "1 in 'sales'" in error.value.fields["problem"]


def test_fitted_gives_a_new_file_the_same_numbers(series, caplog):
    first = series(shop())
    expected = whole(first, "all")
    new = shop().iloc[40:48].assign(extra=1)
    with caplog.at_level(logging.INFO, "dlcli"):
        second = series(new, fitted=first.fitted)
    assert "are ignored: 'extra'" in caplog.text
    assert second.spec == first.spec
    x, y, _ = whole(second, "all")
    assert torch.equal(x, expected[0][40:44])
    assert torch.equal(y, expected[1][40:44])


def test_unseen_categories_are_all_zero_and_counted(series, caplog):
    first = series(shop())
    new = shop(10).assign(weather="fog")
    with caplog.at_level(logging.INFO, "dlcli"):
        task = series(new, fitted=first.fitted)
    assert "10 of 10 values of 'weather' are not in the training data (fog" in caplog.text
    assert not whole(task, "all")[0][:, 2:].any()


def test_a_column_that_the_run_was_trained_with_is_missed(series):
    first = series(shop())
    with pytest.raises(UsageError, match=r"column not found: 'price' \(did you mean \"prices\"\?\)"):
        series(shop().rename(columns={"price": "prices"}), fitted=first.fitted)


def test_constant_columns_are_kept_and_said(series, caplog):
    with caplog.at_level(logging.INFO, "dlcli"):
        task = series(shop().assign(price=7.0))
    assert "constant in the training rows, not scaled: price" in caplog.text
    assert task.fitted["std"][1] == 1
    assert not whole(task, "train")[0][:, 1].any()


def labelled(rows=60):
    count = np.arange(rows)
    return pd.DataFrame({"speed": count % 7 * 1.5, "state": np.where(count % 3 == 0, "walk", "sit")})


def test_a_label_is_that_of_the_last_row_and_no_input(series):
    task = series(labelled(), target="state", time="row")
    assert task.spec.inputs == (Real((1, 4)),)
    assert task.spec.target == Classes(2)
    assert task.fitted["classes"] == ["sit", "walk"]
    _, y, ends = whole(task, "all")
    assert y.tolist() == [int(end % 3 == 0) for end in ends.tolist()]
    scores = score(Fixed(2), task, "all")
    assert scores["accuracy"] == pytest.approx(scores["baseline_accuracy"])
    assert scores["baseline_accuracy"] == pytest.approx(np.mean([end % 3 != 0 for end in range(3, 60)]))


def test_numbers_are_labels_when_kind_says_so(series):
    frame = labelled().assign(state=np.arange(60) % 2 * 10)
    assert series(frame, target="state", time="row").spec.target == Real((1,))
    task = series(frame, target="state", time="row", kind="label")
    assert task.fitted["classes"] == ["0", "10"]


def test_rows_without_a_label_can_be_told(series):
    first = series(labelled(), target="state", time="row")
    frame = labelled(12)
    frame.loc[8:, "state"] = None
    task = series(frame, target="state", fitted=first.fitted)
    assert whole(task, "all")[2].tolist() == [3, 4, 5, 6, 7]
    table = predict(Fixed(2), task, [task.batch("future", 0)])
    assert table["row"] == [9, 10, 11, 12]
    assert table["state_target"] == [""] * 4
    assert table["state_prediction"] == ["sit"] * 4
    bare = series(frame[["speed"]], target="state", fitted=first.fitted)
    assert len(whole(bare, "future")[2]) == 9


def test_a_label_that_was_never_trained_is_refused(series):
    first = series(labelled(), target="state", time="row")
    frame = labelled(12)
    frame.loc[6, "state"] = "swim"
    with pytest.raises(UsageError) as error:
        series(frame, target="state", fitted=first.fitted)
    assert error.value.fields["key"] == "row 7 of column 'state'"
    assert error.value.fields["got"] == "swim"


def test_hares_and_lynxes_are_read(real_data):
    path = real_data("lynx-hare", "hudson-bay-lynx-hare.csv")
    task = CsvSeries(**(DEFAULTS | {"path": str(path), "target": "Hare", "fractions": [0.7, 0.15, 0.15]}))
    assert task.fitted["time"] == ["Year"]
    assert task.fitted["numeric"] == ["Hare", "Lynx"]
    assert units(task, whole(task, "all")[0][0, 0]) == [30.0, 47.2, 70.2, 77.4]
    hares = [77.4, 36.3, 20.6, 18.1, 21.4, 22, 25.4, 27.1, 40.3, 57, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7]
    scores = score(Last(task, slope=0), task, "all")
    assert scores["mse_last_value"] == pytest.approx(np.square(np.diff(hares)).mean(), rel=1e-4)
    assert scores["mse"] == pytest.approx(scores["mse_last_value"], rel=1e-4)
    assert predict(Last(task), task, [task.batch("future", 0)])["time"] == ["1920"]


def test_semicolons_comments_spaces_and_quotes_are_read(series):
    frame = shop()
    text = "# from the till\n" + frame.to_csv(index=False, sep=";").replace(";", "; ").replace("sun", '"sun"')
    assert torch.equal(whole(series(text), "all")[0], whole(series(frame), "all")[0])


def with_value(row, name, value):
    frame = shop().astype({name: object})
    frame.loc[row, name] = value
    return frame


def twice():
    frame = shop()
    frame.loc[7, "day"] = frame.loc[6, "day"]
    return frame


ERRORS = {
    "target": (shop(), {"target": "sale"}, "task.target"),
    "no target": (shop(), {"target": None}, "task.target"),
    "time": (shop(), {"time": "dy"}, "task.time"),
    "group": (shop(), {"group": "region"}, "task.group"),
    "not a number": (with_value(4, "price", "abc"), {}, "row 5 of column 'price'"),
    "infinite": (with_value(4, "price", "inf"), {}, "row 5 of column 'price'"),
    "date": (with_value(4, "day", "soon"), {"time": "day"}, "row 5 of time column 'day'"),
    "empty date": (with_value(4, "day", None), {"time": "day"}, "row 5 of time column 'day'"),
    "repeated time": (twice(), {}, "'2024-01-07' occurs more than once (2 such rows)"),
    "repeated given time": (twice(), {"time": "day"}, "rows 7 and 8; 1 such rows"),
    "short": (shop(10), {"window": 9}, "10 rows are too few"),
    "horizon": (shop(30), {"horizon": 8}, "30 rows are too few"),
    "window": (shop(), {"window": 0}, "task.window"),
    "no horizon": (shop(), {"horizon": 0}, "task.horizon"),
    "fractions": (shop(), {"fractions": [0.5, 0.2, 0.2]}, "task.fractions"),
    "kind": (shop(), {"kind": "guess"}, "task.kind"),
    "gaps": (shop(), {"gaps": "jump"}, "task.gaps"),
    "missing": (shop(), {"missing": "zero"}, "task.missing"),
    "date format": (shop(), {"date_format": "fancy"}, "task.date_format"),
    "separator": (shop(), {"separator": "/"}, "task.separator"),
    "text": (shop(), {"target": "weather", "kind": "forecast"}, "task.kind=forecast"),
    "label ahead": (shop(), {"target": "weather", "horizon": 2}, "task.horizon"),
    "one label": (shop().assign(weather="sun"), {"target": "weather"}, "two or more labels"),
    "labels": (shop(), {"kind": "label"}, "task.max_categories=5"),
    "categories": (shop().assign(weather=[f"w{i}" for i in range(60)]), {}, "task.max_categories=5"),
    "table with a window": (labelled(), {"target": "state"}, "task.window"),
    "only a label": (labelled()[["state"]], {"target": "state", "time": "row"}, "no column to predict 'state' from"),
    "empty": ("", {}, "is empty"),
    "header alone": ("day,sales\n", {}, "is empty"),
    "no header": ("1,2\n3,4\n5,6\n", {}, "the first line must name the columns"),
    "ragged": ("a,sales\n1,2\n1,2,3\n", {}, "is not a table"),
    "wide": ("a,sales\n1,2,3\n1,2,3\n", {}, "is not a table"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_csv_error_names_its_subject(series, name):
    frame, options, subject = ERRORS[name]
    with pytest.raises(UsageError) as error:
        series(frame, **options)
    assert subject in str(error.value)
    assert len(str(error.value).splitlines()) <= 3


def test_unreadable_file_raises_usage_error(tmp_path):
    def code(path):
        with pytest.raises(UsageError) as error:
            CsvSeries(**(DEFAULTS | {"path": path}))
        return error.value.code

    assert code(None) == "required"
    assert code(str(tmp_path / "absent.csv")) == "missing_file"
    (tmp_path / "image.csv").write_bytes(bytes(range(256)))
    (tmp_path / "zeros.csv").write_bytes(bytes(300))
    assert code(str(tmp_path / "image.csv")) == code(str(tmp_path / "zeros.csv")) == "invalid_data"


def test_required_rows_of_the_error_suffice(series):
    for options in ({"window": 9}, {"window": 9, "horizon": 3}, {"window": 5, "horizon": 7}):
        with pytest.raises(UsageError) as error:
            series(shop(11), **options)
        needed = error.value.fields["needed"]
        series(shop(needed), **options)
        with pytest.raises(UsageError) as error:
            series(shop(needed - 1), **options)
        assert error.value.fields["needed"] == needed


def test_batches_are_a_function_of_their_index(series):
    task = series(shop())
    for split in ("train", "valid", "all"):
        one, other = task.batch(split, 1), task.batch(split, 1)
        assert torch.equal(one.inputs[0], other.inputs[0])
        assert torch.equal(one.target, other.target)
