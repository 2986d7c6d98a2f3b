"""Curves as SVG: everything finite is drawn, names are text."""

import math
import re
from xml.etree import ElementTree

from dlcli.core.curves import svg
from dlcli.core.leaf import encode
from dlcli.core.learner import Curves


def lines(text):
    return [
        [tuple(map(float, pair.split(","))) for pair in one.split()]
        for one in re.findall(r'<polyline points="([^"]*)"', text)
    ]


def test_points_lie_in_order_and_higher_values_higher():
    ((first, second, third),) = lines(svg("step", {"fitness": [(0.0, 1.0), (5.0, 3.0), (10.0, 2.0)]}))
    assert first[0] < second[0] < third[0]
    assert first[1] > third[1] > second[1]


def test_what_is_not_finite_is_left_out():
    (drawn,) = lines(svg("step", {"a": [(0.0, 1.0), (1.0, math.nan), (2.0, math.inf), (3.0, 2.0)]}))
    assert len(drawn) == 2


def test_nothing_and_one_value_are_drawn_too():
    for series in ({}, {"a": []}, {"a": [(1.0, 2.0)]}, {"a": [(0.0, 5.0), (1.0, 5.0)]}):
        ElementTree.fromstring(svg("step", series))


def test_names_stay_text():
    text = svg("<b>", {"<script>": [(0.0, 1.0), (1.0, 2.0)]})
    assert "<script>" not in text
    ElementTree.fromstring(text)


def test_long_curves_keep_their_ends():
    points = [(float(x), float(x % 7)) for x in range(5001)]
    (drawn,) = lines(svg("step", {"a": points}))
    assert len(drawn) < 500
    whole = lines(svg("step", {"a": [points[0], points[-1], (2500.0, 0.0), (2500.0, 6.0)]}))[0]
    assert drawn[0][0] == whole[0][0]
    assert drawn[-1][0] == whole[1][0]


def test_the_leaf_is_an_svg_file():
    ending, content = encode(Curves("step", {"a": [(0.0, 1.0)]}))
    assert ending == ".svg"
    assert content.startswith(b"<svg")
