"""One table in several forms that agree, whatever its names hold."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_groups, make_run

from dlcli.core.errors import UsageError
from dlcli.report.comparison import columns
from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.sanitize import one_line
from dlcli.report.table_formats import (
    Column,
    Table,
    escape_latex,
    escape_markdown,
    figure,
    to_csv,
    to_latex,
    to_markdown,
)
from dlcli.runs import selectors

ODD = "a|b, \"c\" 'd'\n<script>alert(1)</script> & 50% $x_1^2$ \\cmd{} #tag ~ [y] *z* `q`\x1b[31m"
TABLE = Table(
    "odd",
    [
        Column("what", "text", ("name",)),
        Column("95 % interval", "interval", ("low", "high")),
        Column("n", "count", ("n",)),
    ],
    [{"name": ODD, "low": 0.123456789, "high": 1234.5, "n": 12345}, {"name": "plain", "n": 3}],
)


def test_csv_parses_back_with_every_digit():
    first, second = csv.DictReader(io.StringIO(to_csv(TABLE)))
    assert (first["name"], float(first["low"]), float(first["high"]), first["n"]) == (ODD, 0.123456789, 1234.5, "12345")
    assert (second["low"], second["high"]) == ("", "")


def test_markdown_has_as_many_cells_as_columns_and_no_html():
    lines = to_markdown(TABLE, 4).splitlines()
    assert len(lines) == 4
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in lines)
    assert "<script" not in re.sub(r"\\<", "", lines[2])
    assert "[0.1235, 1234.]".replace("1234.", "1234") in lines[2] or "[0.1235, 1235]" in lines[2]
    assert lines[1] == "| :-- | --: | --: |"


def test_latex_has_no_special_letter_left_and_as_many_cells():
    text = to_latex(TABLE, 4)
    body = text.split("\\midrule")[1].split("\\bottomrule")[0].strip().splitlines()
    assert len(body) == 2
    assert all(line.endswith("\\\\") for line in body)
    assert all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in body)
    plain = re.sub(r"\\(?:[{}$&#%_]|text[a-z]+\{\})|\{\[\}|\{\]\}", "", body[0].removesuffix("\\\\"))
    assert not set(plain) & set("\\{}$#%_^~<>[]")
    assert "95 \\% interval" in text


@given(st.text(max_size=40))
def test_no_text_breaks_a_line_or_moves_a_cursor(text):
    for shown in (one_line(text), escape_latex(text), escape_markdown(one_line(text))):
        assert len(shown.splitlines()) <= 1
        assert shown.isprintable()


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.95, 4, "0.9500"), (0.123456, 4, "0.1235"), (0.123456, 2, "0.12"), (12.0, 4, "12.00"), (1234.0, 4, "1234"),
        (12345.6, 4, "12,346"), (1234.5678, 7, "1234.568"), (0.0, 4, "0"), (0.00012345, 4, "1.234e-04"),
        (-0.5, 3, "-0.500"), (1e9, 4, "1.000e+09"), (100.0, 1, "100"), (5, 3, "5.00"), (1e-300, 1, "1e-300"),
    ],
)  # fmt: skip
def test_figures_have_as_many_digits_as_asked_for(value, digits, text):
    assert figure(value, digits) == text


def answer(out, **question):
    return compare(selectors.scan(out), ComparisonOptions(**question))


def test_all_forms_have_the_same_numbers(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.92, 0.97], "gru": [0.8, 0.7, 0.75]}, keys={"model.hidden": 3})
    make_groups(tmp_path, {"gru": [0.1, 0.2, 0.15]}, keys={"model.hidden": 4})
    found = answer(tmp_path)
    table = columns.groups_table(found.groups)
    rows = list(csv.DictReader(io.StringIO(to_csv(columns.csv_table(found)))))
    for row, group, cells in zip(rows, found.plain()["groups"], table.cells(4), strict=True):
        told = f"[{figure(group['low'], 4)}, {figure(group['high'], 4)}]"
        assert (row["name"], int(row["n"]), float(row["mean"])) == (group["name"], group["n"], group["mean"])
        assert (float(row["low"]), float(row["high"])) == (group["low"], group["high"])
        assert (row["hidden"], row["seeds"]) == (str(group["keys"]["hidden"]), " ".join(map(str, group["seeds"])))
        assert {group["name"], figure(group["mean"], 4), told} <= set(cells)
        for text in (to_markdown(table, 4), to_latex(table, 4).replace("{[}", "[").replace("{]}", "]")):
            assert told in text
            assert figure(group["mean"], 4) in text
    pairs = {pair["a"]: pair for pair in found.plain()["pairs"]}
    for row in rows[1:]:
        assert (float(row["difference"]), float(row["p_holm"])) == (
            pairs[row["name"]]["difference"],
            pairs[row["name"]]["p_holm"],
        )
        assert row["against"] == rows[0]["name"]
    assert rows[0]["difference"] == ""


def test_columns_hold_what_differs_and_nothing_that_is_the_same(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8]}, keys={"model.hidden": 3, "until.steps": 7})
    make_groups(tmp_path, {"tcn": [0.9, 0.8]}, keys={"model.hidden": None, "until.steps": 8})
    titles = [column.title for column in columns.groups_table(answer(tmp_path).groups).columns]
    assert titles[:5] == ["group", "hidden", "until.steps", "n", "test accuracy"]
    assert not {"task", "model", "lr", "note"} & set(titles)


def test_every_column_sorts_and_empty_values_come_last(tmp_path):
    make_groups(tmp_path, {"b": [0.1, 0.2], "a": [0.3], "c": [0.5, 0.9]})
    make_run(tmp_path, "d", info={"status": "failed", "metrics": {}})
    groups = answer(tmp_path).groups
    wanted = {"name": "abcd", "-name": "dcba", "mean": "bacd", "-mean": "cabd", "low": "cbad", "-low": "bcad"}
    for sort, order in wanted.items():
        assert "".join(row.name for row in columns.sort_groups(groups, sort)) == order
    with pytest.raises(UsageError) as error:
        columns.sort_groups(groups, "maen")
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "maen")
    assert "mean" in error.value.fields["known"]


def test_a_limit_says_what_it_leaves_out_and_changes_no_p(tmp_path):
    make_groups(tmp_path, {"a": [0.9, 0.8], "b": [0.5, 0.6], "c": [0.1, 0.3]})
    whole = answer(tmp_path)
    short = columns.limit_groups(whole, None, 2)
    assert [row.name for row in short.groups] == ["a", "b"]
    assert [pair for _, pair in short.pairs] == [pair for _, pair in whole.pairs][:1]
    assert short.notes == ["--limit 2: 1 more group"]
    assert short.sentence == whole.sentence
