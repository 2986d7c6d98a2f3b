"""`--plot`: a picture of what was measured."""

import pytest
from made_runs import make_groups, make_run

from dlcli.core.errors import Missing, UsageError
from dlcli.report.charts import panels
from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.runs import selectors

pytest.importorskip("matplotlib")


def drawn(out, path, **question):
    asked = ComparisonOptions(**question)
    panels.write(path, compare(selectors.scan(out), asked), asked)
    return path.read_text(errors="replace")


@pytest.mark.parametrize(("name", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("A.PDF", b"%PDF")])
def test_the_ending_says_the_format(tmp_path, name, begins):
    make_groups(tmp_path, {"tcn": [0.9, 0.8]})
    drawn(tmp_path, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)


@pytest.mark.parametrize("name", ["a.pgn", "png", "a.html", "a"])
def test_plot_unknown_format_raises_usage_error(tmp_path, name):
    with pytest.raises(UsageError) as error:
        panels.check(tmp_path / name)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "--plot")
    assert error.value.fields["got"] == str(tmp_path / name)


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(Missing) as error:
        panels.check(tmp_path / "a.png")
    assert (error.value.code, error.value.fields["package"]) == ("missing_package", "matplotlib")
    assert "dlcli-lab[plot]" in error.value.fields["hint"]


def test_the_same_runs_give_the_same_file(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8], "gru": [0.5, 0.7]})
    assert drawn(tmp_path, tmp_path / "a.svg").count("(n = 2)") == 2
    first, second = (drawn(tmp_path, tmp_path / f"{name}.svg") for name in "bc")
    assert first == second


@pytest.mark.parametrize(
    "name", ["$\\frac$", "$", "_hidden", "<script>&", "a\nb", "\x1b[1m", "\\", "100 % ^ {", "漢字"]
)
def test_no_name_breaks_it_and_every_name_is_in_the_legend(tmp_path, name):
    for seed in (0, 1):
        make_run(tmp_path, seed=seed, info={"name": name})
    assert "n = 2" in drawn(tmp_path, tmp_path / "a.svg")


def test_runs_without_curves_say_so(tmp_path):
    (make_run(tmp_path) / "metrics.csv").unlink()
    assert "no curves" in drawn(tmp_path, tmp_path / "a.svg")


def test_a_counter_is_the_axis_and_each_task_a_panel(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8]})
    make_groups(tmp_path, {"tcn": [0.9, 0.8]}, task="adding")
    text = drawn(tmp_path, tmp_path / "a.svg", x="samples")
    assert text.count("<!-- samples -->") == 2
    assert "<!-- adding -->" in text


def test_infinite_values_leave_a_gap(tmp_path):
    curve = {1: float("nan"), 2: float("inf"), 3: 0.5, 4: 0.6}
    for seed in (0, 1):
        make_run(tmp_path, seed=seed, curve=curve)
    assert "n = 2" in drawn(tmp_path, tmp_path / "a.svg")


def test_logarithms_are_taken_where_they_help():
    assert panels.logarithmic([1.0, 200.0])
    assert not panels.logarithmic([1.0, 50.0])
    assert not panels.logarithmic([0.0, 500.0])
    assert not panels.logarithmic([])
    assert panels.geometric([[1, 2, 4, 8, 16, 1000]])
    assert not panels.geometric([list(range(1, 1000))])


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    make_run(tmp_path)
    (tmp_path / "a.png").mkdir()
    with pytest.raises(UsageError) as error:
        drawn(tmp_path, tmp_path / "a.png")
    assert (error.value.code, error.value.fields["path"]) == ("invalid_data", f"--plot {tmp_path / 'a.png'}")
