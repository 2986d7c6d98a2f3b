"""Tables, curves and numbers in words."""

import math

import pytest

from dlcli.report import formatting, terminal_tables
from dlcli.report.charts import terminal


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.97, "0.97"), (1.23456, "1.235"), (123.456, "123.5"), (12345.6, "12,345.6"), (1e-5, "1.000e-05"),
     (2.5e7, "2.500e+07"), (-0.5, "-0.5"), (math.nan, "nan"), (math.inf, "inf"), (3, "3"), (1000, "1,000.0")],
)  # fmt: skip
def test_numbers_have_four_digits(value, text):
    assert formatting.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (12.34, "12.3 s"), (60, "1 min 00 s"), (245, "4 min 05 s"), (3599.7, "1 h 00 min"),
     (7380, "2 h 03 min"), (math.nan, "?"), (math.inf, "?")],
)  # fmt: skip
def test_durations_are_as_people_write_them(seconds, text):
    assert formatting.duration(seconds) == text


def test_no_duration_has_sixty_seconds():
    assert all(not formatting.duration(step / 20).startswith("60") for step in range(1150, 1250))


def test_moments_are_local_and_to_the_minute(monkeypatch):
    assert formatting.moment("2026-01-02T03:04:59.999").endswith("03:04")


def test_a_table_prints_brackets_as_they_are(capsys):
    terminal_tables.print_table(["what", "n"], [["model.channels=[4,4] [bold]x[/]", "1"]], numeric=["n"])
    assert "model.channels=[4,4] [bold]x[/]" in capsys.readouterr().out


def test_a_pipe_gets_whole_lines(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal_tables.print_table(["what"], [["x" * 150]])
    assert "x" * 150 in capsys.readouterr().out


def test_splits_are_rows_and_metrics_columns(capsys):
    terminal_tables.print_scores({"valid": {"nll": 0.5}, "test": {"nll": 0.25, "accuracy": 1.0}})
    head, valid, test = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (head, valid, test) == (["split", "nll", "accuracy"], ["valid", "0.5"], ["test", "0.25", "1"])


@pytest.mark.parametrize(
    ("info", "wanted"),
    [
        ({"receptive_field": 64, "length": 64}, "covers"),
        ({"receptive_field": 63, "length": 64}, "is shorter"),
        ({"receptive_field": 63}, ""),
        ({}, ""),
    ],
)
def test_the_receptive_field_is_held_against_the_length(info, wanted):
    assert wanted in terminal_tables.receptive_field_text(info)
    assert bool(terminal_tables.receptive_field_text(info)) == bool(wanted)


def test_a_curve_goes_where_its_values_go():
    rows = terminal.draw({"valid": ([1, 2, 3, 4], [0.0, 1.0, 2.0, 3.0])}, "accuracy", width=60, height=12).splitlines()
    body = [row.partition("┤")[2] or row.partition("│")[2] for row in rows if "┤" in row or "│" in row]
    drawn = [[place for place, sign in enumerate(row) if "\u2801" <= sign <= "\u28ff"] for row in body[1:]]
    places = [min(row) for row in drawn if row]
    assert len(places) > 5
    assert places == sorted(places, reverse=True)
    assert "accuracy" in rows[0]


def test_values_over_many_powers_of_ten_are_drawn_as_logarithms():
    title = terminal.draw({"train": ([1, 2], [1.0, 1e-4])}, "loss", width=60).splitlines()[0]
    assert "log10 loss" in title
    assert "log10" not in terminal.draw({"train": ([1, 2], [1.0, 0.0])}, "loss", width=60)


def test_nothing_finite_is_nothing_to_draw():
    assert "nothing to draw" in terminal.draw({"train": ([1], [math.nan])}, "loss")
    assert "nothing to draw" in terminal.draw({}, "loss")


def test_scores_of_a_task_without_a_baseline_say_so(capsys):
    info = {"metric_info": {"nll": {"direction": "min", "unit": "", "baseline": None}}}
    terminal_tables.print_scores({"test": {"nll": 0.25}}, info=info)
    assert capsys.readouterr().out.splitlines()[-1].split() == ["baseline:", "none", "declared", "-"]
