"""Drawings: boxes and words apart, arrows around boxes, text as it is."""

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
import torch

from dlcli.core.space import Graph, Node, sample
from dlcli.nn.supernet.macro_space import MacroSpace
from dlcli.nn.supernet.micro_space import MicroSpace
from dlcli.report.charts.architecture import svg
from dlcli.report.charts.graph_layout import lay_out

SVG = "{http://www.w3.org/2000/svg}"


def random_graphs():
    random = torch.Generator().manual_seed(0)
    for space in (MacroSpace(4), MacroSpace(9), MicroSpace(4)):
        yield from (space.graph(one) for one in sample(space, 4, random))


GRAPHS = list(random_graphs())


def boxes(tree):
    """(left, top, right, bottom) of every box."""
    for one in tree.iter(f"{SVG}rect"):
        if one.get("class") == "box":
            x, y, width, height = (float(one.get(name)) for name in ("x", "y", "width", "height"))
            yield x, y, x + width, y + height


def points(path):
    """Places along a path of M, V and C, 20 to a piece."""
    x = y = 0.0
    for kind, numbers in re.findall(r"([MVC])([^MVC]*)", path):
        values = [float(number) for number in numbers.split()]
        if kind == "V":
            values = [x, (y + values[0]) / 2, x, (y + values[0]) / 2, x, values[0]]
        if kind != "M":
            for part in range(21):
                t = part / 20
                weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
                yield (
                    sum(w * v for w, v in zip(weights, (x, *values[0::2]), strict=True)),
                    sum(w * v for w, v in zip(weights, (y, *values[1::2]), strict=True)),
                )
        x, y = values[-2:]


@pytest.mark.parametrize("graph", GRAPHS)
def test_boxes_do_not_overlap_and_arrows_go_around_them(graph):
    tree = ElementTree.fromstring(svg(graph, "a network"))
    found = list(boxes(tree))
    assert len(found) == len(graph.nodes)
    for one, other in combinations(found, 2):
        assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
    ways = [one.get("d") for one in tree.iter(f"{SVG}path") if one.get("class") == "way"]
    assert len(ways) == len(graph.edges)
    for way in ways:
        for x, y in points(way):
            assert not any(left < x < right and top < y < bottom for left, top, right, bottom in found)


@pytest.mark.parametrize("graph", GRAPHS)
def test_everything_lies_inside_and_words_apart(graph):
    tree = ElementTree.fromstring(svg(graph, "a network"))
    width, height = float(tree.get("width")), float(tree.get("height"))
    assert all(
        left >= 0 and top >= 0 and right <= width and bottom <= height for left, top, right, bottom in boxes(tree)
    )
    words = [one for one in tree.iter(f"{SVG}text") if one.get("class") == "words"]
    assert sorted(one.text for one in words) == sorted(text for _, _, text in graph.edges if text)
    for one, other in combinations(words, 2):
        if one.get("y") == other.get("y"):
            apart = abs(float(one.get("x")) - float(other.get("x")))
            assert apart >= 3.2 * (len(one.text) + len(other.text))


def test_every_arrow_points_down_from_its_source_to_its_target():
    graph = MacroSpace(3).graph((0, 1, 1, 2, 1, 0))
    tree = ElementTree.fromstring(svg(graph, ""))
    place = dict(zip((node.name for node in graph.nodes), boxes(tree), strict=True))
    ways = [one.get("d") for one in tree.iter(f"{SVG}path") if one.get("class") == "way"]
    for (source, target, _), way in zip(graph.edges, ways, strict=True):
        *_, (x, y) = points(way)
        begin = [float(number) for number in re.match(r"M(\S+) (\S+)", way).groups()]
        assert place[source][0] <= begin[0] <= place[source][2]
        assert begin[1] == pytest.approx(place[source][3], abs=0.11)
        assert place[target][0] <= x <= place[target][2]
        assert 0 < place[target][1] - y < 8


def test_text_is_escaped_and_the_drawing_is_a_function_of_the_graph():
    graph = Graph((Node("a<b", 'x & "y"'), Node("c", "")), (("a<b", "c", "<script>"),))
    drawn = svg(graph, "A & B <title>")
    tree = ElementTree.fromstring(drawn)
    assert {one.text for one in tree.iter(f"{SVG}text")} == {"A & B <title>", "a<b", 'x & "y"', "c", "<script>"}
    assert tree.find(f"{SVG}title").text == "A & B <title>"
    assert drawn == svg(graph, "A & B <title>")
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_rows_are_the_longest_path():
    layout = lay_out([(10.0, 10.0)] * 4, [(0, 1), (1, 2), (0, 2), (0, 3)], [(0.0, 0.0)] * 4)
    assert [layout.items[box].row for box in layout.boxes] == [0, 2, 4, 2]


def test_arrows_that_need_not_cross_do_not():
    """Two chains whose boxes come in the wrong order."""
    layout = lay_out([(10.0, 10.0)] * 4, [(0, 3), (1, 2)], [(0.0, 0.0)] * 2)
    x = [layout.items[box].x for box in layout.boxes]
    assert (x[0] < x[1]) == (x[3] < x[2])


def test_a_chain_is_straight():
    layout = lay_out([(80.0, 10.0), (20.0, 10.0), (50.0, 10.0)], [(0, 1), (1, 2)], [(30.0, 5.0), (0.0, 0.0)])
    assert max(item.x for item in layout.items) - min(item.x for item in layout.items) < 1e-6


def test_one_box_and_light_and_dark():
    drawn = svg(Graph((Node("alone", ""),), ()), "one")
    assert drawn.count('class="box"') == 1
    assert "prefers-color-scheme:dark" in drawn
