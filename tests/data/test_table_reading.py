"""Reading of tables: dialects, missing cells, time readings, and targets that do not depend on the inputs."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import estimates
from dlcli.data.dates import read_times
from dlcli.data.table import read_table
from dlcli.data.transforms import Scaling
from dlcli.tasks.sequence.csv_series import CsvSeries
from dlcli.tasks.sequence.naive import find_season

DEFAULTS = {
    "target": "level", "window": 6, "horizon": 1, "kind": "auto", "time": None, "group": None, "gaps": "break",
    "max_gap": 3, "missing": "ffill", "max_categories": 9, "fractions": [0.7, 0.15, 0.15], "batch": 8, "order": 0,
    "fitted": None,
}  # fmt: skip
LEVEL = (np.random.default_rng(3).normal(0, 40, 150).cumsum() + 2500).round(2)


def series(path, text, **options):
    file = path / "series.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CsvSeries(**(DEFAULTS | {"path": str(file)} | options))


def dated(date_format, periods=150, freq="D", start="2015-01-01", values=LEVEL):
    dates = pd.date_range(start, periods=periods, freq=freq).strftime(date_format)
    dates = [f'"{date}"' for date in dates] if "," in date_format else dates
    return "date,level\n" + "\n".join(f"{date},{value}" for date, value in zip(dates, values, strict=False)) + "\n"


def targets(task, split):
    return torch.cat([task.batch(split, index).target for index in range(task.size(split))])


def naive(task, split="test"):
    return {name: value.mean for name, value in estimates(task.baseline().predictor, task, split).items()}


def write(separator, decimal, thousands, *, quote="", head="", newline="\n", encoding="utf-8"):
    """The same table in a dialect."""
    lines = [separator.join(("date", "level", "city"))]
    for day, value in enumerate(LEVEL):
        number = f"{value:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
        number = f'"{number}"' if quote or separator in number else number
        lines.append(separator.join((f"{np.datetime64('2015-01-01') + day}", number, ("Köln", "Genève")[day % 2])))
    return (head + newline.join(lines) + newline).encode(encoding)


DIALECTS = {
    "comma": write(",", ".", ""),
    "semicolon": write(";", ".", ""),
    "tab": write("\t", ".", ""),
    "pipe": write("|", ".", ""),
    "decimal comma": write(";", ",", ""),
    "decimal comma, tab": write("\t", ",", ""),
    "thousands": write(",", ".", ","),
    "european thousands": write(";", ",", "."),
    "apostrophes": write(";", ".", "'"),
    "quoted, CRLF": write(",", ".", "", quote='"', newline="\r\n"),
    "comments": write(",", ".", "", head="# exported\n# by hand\n"),
    "byte order mark": write(",", ".", "", encoding="utf-8-sig"),
    "Windows-1252": write(";", ",", "", encoding="cp1252"),
    "UTF-16": write("\t", ".", "", encoding="utf-16"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_give_equal_numbers(tmp_path, name):
    (tmp_path / "a.csv").write_bytes(DIALECTS[name])
    frame = read_table(str(tmp_path / "a.csv"))
    assert frame["level"].to_numpy() == pytest.approx(LEVEL, abs=0)
    assert frame["city"].tolist()[:2] == ["Köln", "Genève"]
    assert frame["date"].iloc[0] == "2015-01-01"


def test_ambiguous_decimal_mark_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n1,234;x\n5,678;y\n")
    with pytest.raises(UsageError) as error:
        read_table(str(tmp_path / "a.csv"))
    assert "task.decimal" in error.value.fields["hint"]
    assert read_table(str(tmp_path / "a.csv"), decimal="comma")["a"].tolist() == [1.234, 5.678]
    assert read_table(str(tmp_path / "a.csv"), decimal="point")["a"].tolist() == [1234, 5678]


def test_only_empty_cells_are_missing_in_text(tmp_path):
    words = ["None", "NA", "null", "nan", "N/A", "", "#1"]
    (tmp_path / "a.csv").write_text("x,label\n" + "\n".join(f"{i},{word}" for i, word in enumerate(words)))
    frame = read_table(str(tmp_path / "a.csv"))
    assert frame["label"].dropna().tolist() == [word for word in words if word]
    assert frame["label"].isna().sum() == 1


def test_missing_tokens_of_numeric_columns_are_counted(tmp_path, caplog):
    (tmp_path / "a.csv").write_text("x,y\n1,1\nNA,2\n3,3\n?,4\n5,5\n")
    with caplog.at_level(logging.INFO, "dlcli"):
        frame = read_table(str(tmp_path / "a.csv"))
    assert np.isnan(frame["x"]).tolist() == [False, True, False, True, False]
    assert "2 of 5 values of 'x' not used (40.0 %)" in caplog.text


def test_comments_are_skipped_at_the_head_only(tmp_path, caplog):
    (tmp_path / "a.csv").write_text("# one\n#two\nname,x\na,1\n#b,2\nc,3\n")
    with caplog.at_level(logging.INFO, "dlcli"):
        frame = read_table(str(tmp_path / "a.csv"))
    assert frame["name"].tolist() == ["a", "#b", "c"]
    assert "2 comment lines" in caplog.text


@pytest.mark.parametrize(
    ("date_format", "freq", "reading"),
    [
        ("%d/%m/%Y", "MS", "day_first"), ("%m/%d/%Y", "MS", "month_first"), ("%d/%m/%Y", "D", "day_first"),
        ("%Y%m%d", "D", "compact"), ("%Y%m", "MS", "compact"), ("%Y%m%d%H", "h", "compact"),
        ("%d.%m.%y %H:%M", "h", "day_first"), ("%b-%y", "MS", "named_month"), ("%Y-%m", "MS", "year_month"),
        ("%d %B %Y", "D", "named_month"), ("%Y-%m-%dT%H:%M:%SZ", "h", "year_first"), ("%b %d, %Y", "D", "named_month"),
    ],
)  # fmt: skip
def test_time_readings_equal_iso_dates(tmp_path, date_format, freq, reading):
    task = series(tmp_path, dated(date_format, freq=freq))
    assert task.fitted["reading"] == reading
    iso = series(tmp_path, dated("%Y-%m-%d %H:%M", freq=freq))
    assert {split: task.rows(split) for split in ("train", "valid", "test")} == {
        split: iso.rows(split) for split in ("train", "valid", "test")
    }
    assert torch.equal(targets(task, "test"), targets(iso, "test"))
    assert naive(task) == naive(iso)


def test_ambiguous_dates_are_refused_with_both_readings(tmp_path):
    text = dated("%d/%m/%Y", periods=12, start="2020-03-01")
    options = {"window": 1, "fractions": [0.6, 0.2, 0.2]}
    with pytest.raises(UsageError) as error:
        series(tmp_path, text, **options)
    assert "task.date_format=day_first or task.date_format=month_first" in error.value.fields["hint"]
    assert series(tmp_path, text, date_format="day_first", **options).fitted["reading"] == "day_first"
    assert series(tmp_path, text, date_format="%m/%d/%Y", **options).fitted["reading"] == "%m/%d/%Y"


def test_two_digit_years_keep_the_century_of_the_series():
    text = pd.Series(pd.date_range("1961-01-01", "1989-12-01", freq="MS").strftime("%b-%y"), name="when")
    times = read_times(text, np.zeros(len(text), np.int64), None)
    assert times.ticks[0] == np.datetime64("1961-01-01", "us").astype(np.int64)
    assert times.kept
    assert times.irregular == 0


def test_newest_first_file_is_sorted(tmp_path):
    rows = [f"{1900 + year},{value}" for year, value in enumerate(LEVEL)]
    oldest, newest = ("Year,level\n" + "\n".join(part) for part in (rows, rows[::-1]))
    first, second = series(tmp_path, oldest), series(tmp_path, newest)
    assert torch.equal(targets(first, "test"), targets(second, "test"))


@pytest.mark.parametrize("ids", [("FR", "DE", "IT"), (1, 2, 3), ("M1", "M2", "M3")])
def test_stacked_series_error_names_the_group(tmp_path, ids):
    rows = [f"{name},{step},{LEVEL[step] + 7 * number}" for number, name in enumerate(ids) for step in range(50)]
    text = "unique_id,ds,level\n" + "\n".join(rows)
    with pytest.raises(UsageError) as error:
        series(tmp_path, text)
    assert "task.group=unique_id" in error.value.fields["hint"]
    assert series(tmp_path, text, group="unique_id").fitted["time"] == ["ds"]


def test_several_columns_form_the_time(tmp_path):
    hours = pd.date_range("2004-03-10 18:00", periods=150, freq="h")
    clock = "\n".join(
        f"{hour:%d/%m/%Y};{hour:%H.%M.%S};{v:.2f}".replace(".", ".") for hour, v in zip(hours, LEVEL, strict=True)
    )
    parts = "\n".join(
        f"{hour.year};{hour.month};{hour.day};{hour.hour};{v:.2f}" for hour, v in zip(hours, LEVEL, strict=True)
    )
    first = series(tmp_path, f"Date;Time;level\n{clock}\n")
    second = series(tmp_path, f"year;month;day;hour;level\n{parts}\n")
    assert first.fitted["time"] == ["Date", "Time"]
    assert second.fitted["time"] == ["year", "month", "day", "hour"]
    assert first.fitted["numeric"] == second.fitted["numeric"] == ["level"]
    assert torch.equal(targets(first, "test"), targets(second, "test"))


@pytest.mark.parametrize("date_format", ["%Y-%m-%d", "%d/%m/%Y", "%Y%m%d"])
def test_permuted_rows_change_nothing(tmp_path, date_format):
    header, *rows = dated(date_format).strip().split("\n")
    shuffled = [rows[index] for index in np.random.default_rng(0).permutation(len(rows))]
    first, second = series(tmp_path, "\n".join([header, *rows])), series(tmp_path, "\n".join([header, *shuffled]))
    for split in ("train", "valid", "test"):
        one, other = first.batch(split, 0), second.batch(split, 0)
        assert torch.equal(one.inputs[0], other.inputs[0])
        assert torch.equal(one.target, other.target)


@pytest.mark.parametrize("gaps", [False, True])
def test_window_and_filling_never_change_targets(tmp_path, gaps):
    values = [f"{value}" for value in LEVEL]
    values[3] = values[60] = values[110] = values[140] = ""
    header, *rows = dated("%Y-%m-%d", values=values).strip().split("\n")
    text = "\n".join([header, *(row for day, row in enumerate(rows) if not gaps or day not in (40, 41, 115, 116, 131))])
    reference = series(tmp_path, text)
    for options in ({"window": 1}, {"window": 30}, {"missing": "mean"}, {"window": 12, "missing": "mean"}):
        task = series(tmp_path, text, **options)
        for split in ("valid", "test"):
            assert torch.equal(targets(task, split), targets(reference, split))
            expected, scores = naive(reference, split), naive(task, split)
            for name in ("mse_last_value", "mse_seasonal", "mse_drift", "mase"):
                assert scores[name] == expected[name], (options, name)


def test_naive_forecasts_equal_an_independent_loop(tmp_path):
    season, horizon = 7, 3
    task = series(tmp_path, dated("%Y-%m-%d"), season=season, horizon=horizon, baseline="drift")
    errors = {"mse_last_value": [], "mse_seasonal": [], "mse_drift": []}
    border = int(np.floor(0.85 * len(LEVEL) + 1e-9))
    for end in range(border - 1, len(LEVEL) - horizon):
        for step in range(1, horizon + 1):
            truth = LEVEL[end + step]
            errors["mse_last_value"].append(truth - LEVEL[end])
            errors["mse_seasonal"].append(truth - LEVEL[end + step - season])
            errors["mse_drift"].append(truth - LEVEL[end] - step * (LEVEL[end] - LEVEL[0]) / end)
    scores = naive(task)
    for name, error in errors.items():
        assert scores[name] == pytest.approx(np.mean(np.square(error)), rel=1e-4)
    assert scores["baseline_mse"] == scores["mse_drift"] == scores["mse"]


def test_find_season_finds_periods_and_no_others():
    rng, steps = np.random.default_rng(0), np.arange(400)
    one, train = np.zeros(400, np.int64), np.ones(400, bool)
    assert find_season(np.sin(2 * np.pi * steps / 12) + 0.02 * steps + 0.3 * rng.normal(size=400), one, train) == 12
    assert find_season(rng.normal(size=400).cumsum(), one, train) == 1
    assert find_season(np.ones(400), one, train) == 1


def test_huge_integers_are_scaled_and_named(tmp_path, caplog):
    text = dated("%Y-%m-%d").strip().split("\n")
    rows = [f"{row},{10**17 + 3 * number}" for number, row in enumerate(text[1:])]
    with caplog.at_level(logging.INFO, "dlcli"):
        task = series(tmp_path, "\n".join([f"{text[0]},id", *rows]))
    assert "'id' contains integers beyond 2^53" in caplog.text
    assert task.fitted["std"][1] > 50
    scaled = Scaling.fit(np.array([[1e17], [1e17 + 512]]), ["id"])
    assert scaled.std == [256.0]


def test_unused_windows_are_counted_with_the_key(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "dlcli"):
        series(tmp_path, dated("%Y-%m-%d"), window=40)
    assert "39 of 149 windows not used (26.2 %)" in caplog.text
    assert "task.window" in caplog.text
