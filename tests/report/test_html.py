"""The page's contents, without a browser."""

import json
import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import make_groups, make_run

from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.page import html, thin
from dlcli.runs import selectors

EVIL = "</script><script>alert(1)</script><!-- {{data}} \u2028 & \" ' \\"


def page(out, **question):
    asked = ComparisonOptions(**question)
    path = out / "page.html"
    html.write_comparison(path, compare(selectors.scan(out), asked), asked, "dlcli compare runs")
    return path.read_text()


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def test_the_page_holds_the_comparison(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.92], "gru": [0.8, 0.7]}, keys={"model.hidden": 3, "model.bias": True})
    make_run(tmp_path, "lstm", info={"status": "failed", "reason": "no disk"}, keys={"model.hidden": 4})
    found = data(page(tmp_path))
    asked = ComparisonOptions()
    answer = compare(selectors.scan(tmp_path), asked).plain()
    assert [(row["name"], row["mean"], row["low"]) for row in found["groups"]] == [
        (row["name"], row["mean"], row["low"]) for row in answer["groups"]
    ]
    assert found["sentence"] == answer["sentence"]
    assert [pair["p_holm"] for pair in found["pairs"]] == [pair["p_holm"] for pair in answer["pairs"]]
    assert [one["reason"] for one in found["left"]] == ["failed: no disk"]
    assert len(found["runs"]) == 5
    assert {"hidden": 3} in [row["keys"] for row in found["groups"]]
    run = found["runs"][0]
    assert "Adam" in found["texts"][run["config"]]
    assert '"commit"' in found["texts"][run["environment"]]
    assert len([text for text in found["texts"] if '"commit"' in text]) == 1


def test_nothing_from_outside_can_end_its_element(tmp_path):
    make_run(tmp_path, info={"name": EVIL, "reason": EVIL, "argv": [EVIL]}, keys={"model.words": EVIL})
    path = make_run(tmp_path, "gru", info={"name": None, "label": EVIL})
    (path / "environment.json").write_text(EVIL)
    text = page(tmp_path)
    assert "<script>alert" not in text
    assert len(re.findall(r"<script", text)) == 2
    assert all(row["name"].startswith(EVIL) for row in data(text)["groups"])


def test_nothing_is_loaded_from_anywhere(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.92]})
    text = page(tmp_path)
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href)=["'](?!data:)|@import|url\((?!#)|fetch\(|XMLHttp|innerHTML|eval\(""", text)
    assert set(re.findall(r"https?://[^'\"\s]+", text)) == {"http://www.w3.org/2000/svg"}


def test_the_policy_names_the_script_and_the_style_that_are_there(tmp_path):
    make_run(tmp_path)
    text = page(tmp_path)
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert f"script-src '{html._hash(script)}'" in text
    assert f"style-src '{html._hash(style)}'" in text


def curve_of(found, metric, group=0):
    return next(one for one in found["curves"][metric] if one["group"] == group)


def total(gaps):
    return [sum(gaps[: place + 1]) for place in range(len(gaps))]


def test_curves_are_there_with_their_mean_and_interval(tmp_path):
    for seed, shift in enumerate((0.0, 0.2)):
        make_run(tmp_path, seed=seed, curve={10: 0.1 + shift, 30: 0.5 + shift, 35: 0.4 + shift})
    line = curve_of(data(page(tmp_path)), "valid accuracy")
    assert total(line["mean"]["x"]) == [10, 30, 35]
    assert line["mean"]["y"] == [0.2, 0.6, 0.5]
    assert line["mean"]["low"][0] == pytest.approx(0.2 - 12.7062 * 0.1, abs=1e-4)
    assert sorted(seed["seed"] for seed in line["seeds"]) == [0, 1]
    assert line["seeds"][0]["y"] == [0.3, 0.7, 0.6]


def test_a_counter_is_the_axis(tmp_path):
    make_run(tmp_path, curve={10: 0.1, 20: 0.5})
    line = curve_of(data(page(tmp_path, x="samples")), "valid accuracy")
    assert total(line["seeds"][0]["x"]) == [320, 640]


def test_values_that_are_no_numbers_are_gaps(tmp_path):
    make_run(tmp_path, curve={1: math.nan, 2: 0.5, 3: math.inf})
    assert curve_of(data(page(tmp_path)), "valid accuracy")["seeds"][0]["y"] == [None, 0.5, None]


@pytest.mark.parametrize("name", ["metrics.csv", "timing.csv", "environment.json", "config.yaml"])
def test_a_missing_file_is_a_hole_in_the_page(tmp_path, name):
    (make_run(tmp_path) / name).unlink()
    make_run(tmp_path, "gru")
    text = page(tmp_path)
    assert len(data(text)["runs"]) == 2


@pytest.mark.parametrize(
    "facts", [{}, {"status": "failed", "metrics": {}}, {"verb": "eval", "signature": None}, {"status": "diverged"}]
)
def test_a_page_of_any_run(tmp_path, facts):
    make_run(tmp_path, info=facts)
    html.write_run(tmp_path / "one.html", selectors.one("last", tmp_path))
    found = data((tmp_path / "one.html").read_text())
    assert (len(found["groups"]), len(found["runs"]), found["pairs"]) == (1, 1, [])
    assert "valid accuracy" in found["curves"]


def test_a_hundred_runs_of_a_thousand_points_stay_under_three_megabytes(tmp_path):
    draw = random.Random(0)
    for number in range(100):
        path = make_run(tmp_path, f"m{number // 5:02d}", number % 5, 0.5 + draw.random() / 4, curve={1: 0.5})
        lines = ["step,split,metric,value"]
        for step in range(1, 1001):
            names = ("train,loss", "train,gradient_norm", "valid,nll", "valid,accuracy", "train,rate")
            lines += [f"{50 * step},{name},{draw.random()!r}" for name in names]
        (path / "metrics.csv").write_text("\n".join(lines) + "\n")
    assert len(page(tmp_path).encode()) < 3_000_000


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-9, 9)), max_size=400), st.integers(4, 60))
def test_thin_curves_keep_ends_extremes_and_gaps(values, most):
    places = thin.kept(values, most)
    assert places == sorted(set(places))
    known = [value for value in values if thin.is_number(value)]
    if values:
        assert {places[0], places[-1]} == {0, len(values) - 1}
    left = [values[place] for place in places if thin.is_number(values[place])]
    if known:
        assert (max(left), min(left)) == (max(known), min(known))
    assert len(left) <= max(most, 4)
    assert (len(known) < len(values)) == (len(left) < len(places))


def test_every_stretch_keeps_its_spike():
    values = [0.0] * 1000
    for place in (100, 333, 801):
        values[place] = 1.0
    assert {100, 333, 801} <= set(thin.kept(values, 50))


def test_steps_are_differences_and_values_short():
    assert thin.steps([50, 100, 150, 175]) == [50, 50, 50, 25]
    assert thin.steps([0.25, 0.5]) == [0.25, 0.25]
    assert thin.steps([]) == []
    assert thin.rounded([0.123456789, 2.0, math.nan, None, 1e300]) == [0.12346, 2, None, None, 1e300]
