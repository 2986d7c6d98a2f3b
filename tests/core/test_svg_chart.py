"""Line charts as SVG: finite points and escaped names."""

import math
import re
from xml.etree import ElementTree

from dlcli.core.artifacts import encode
from dlcli.core.learner import Curves
from dlcli.core.svg_chart import line_chart


def polylines(text):
    return [
        [tuple(map(float, pair.split(","))) for pair in points.split()]
        for points in re.findall(r'<polyline points="([^"]*)"', text)
    ]


def test_svg_points_are_in_order_with_larger_values_higher():
    ((first, second, third),) = polylines(line_chart("step", {"fitness": [(0.0, 1.0), (5.0, 3.0), (10.0, 2.0)]}))
    assert first[0] < second[0] < third[0]
    assert first[1] > third[1] > second[1]


def test_svg_omits_nonfinite_values():
    (drawn,) = polylines(line_chart("step", {"a": [(0.0, 1.0), (1.0, math.nan), (2.0, math.inf), (3.0, 2.0)]}))
    assert len(drawn) == 2


def test_svg_of_empty_and_constant_series():
    for series in ({}, {"a": []}, {"a": [(1.0, 2.0)]}, {"a": [(0.0, 5.0), (1.0, 5.0)]}):
        ElementTree.fromstring(line_chart("step", series))


def test_svg_escapes_names():
    text = line_chart("<b>", {"<script>": [(0.0, 1.0), (1.0, 2.0)]})
    assert "<script>" not in text
    ElementTree.fromstring(text)


def test_svg_thins_long_curves_and_keeps_their_ends():
    points = [(float(x), float(x % 7)) for x in range(5001)]
    (drawn,) = polylines(line_chart("step", {"a": points}))
    assert len(drawn) < 500
    expected = polylines(line_chart("step", {"a": [points[0], points[-1], (2500.0, 0.0), (2500.0, 6.0)]}))[0]
    assert drawn[0][0] == expected[0][0]
    assert drawn[-1][0] == expected[1][0]


def test_encode_curves_as_svg():
    ending, content = encode(Curves("step", {"a": [(0.0, 1.0)]}))
    assert ending == ".svg"
    assert content.startswith(b"<svg")


def test_svg_logarithmic_axis():
    """Equal ratios have equal distances, and tick labels are in the units of the data."""
    text = line_chart("dimension", {"a": [(256.0, 1.0), (1024.0, 0.1), (4096.0, 0.01), (8192.0, 0.0)]}, "error", "xy")
    ((first, second, third),) = polylines(text)
    assert abs((second[0] - first[0]) - (third[0] - second[0])) < 0.2
    assert abs((second[1] - first[1]) - (third[1] - second[1])) < 0.2
    assert {"500", "1,000", "2,000", "0.01", "0.1", "1", "error"} <= set(re.findall(r">([^<>]+)</text>", text))


def test_svg_repeats_colors_with_other_dashes():
    text = line_chart("step", {f"line {index}": [(0.0, float(index)), (1.0, 2.0)] for index in range(9)})
    styles = re.findall(r'<polyline points="[^"]*" (stroke="[^/]*)/>', text)
    assert len(set(styles)) == 9
