"""Layered layout of a directed graph.

Paper: Sugiyama, Tagawa & Toda 1981, "Methods for visual understanding of hierarchical system structures": layers by the
longest path, order by the barycenter of neighbors, then coordinates. An arrow has an item in every layer that it
crosses, and its label is one of them, so that no arrow crosses a box and no labels overlap.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

_SWEEPS, _SETTLING = 12, 160
_GAP = 18.0
_STRAIGHT = (1.0, 2.0, 8.0)  # weights of alignment: two boxes, a box and a bend, two bends


@dataclass
class GraphNode:
    """Box, label, or bend of an arrow.

    Args:
        row: row from the top; boxes are in even rows, labels in odd rows.
        width, height: size in pixels; 0 for a bend.
        x: center in pixels.
        up, down: indices of the connected items in the rows above and below.
    """

    row: int
    width: float = 0.0
    height: float = 0.0
    x: float = 0.0
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)


@dataclass
class GraphLayout:
    """Result of a layout.

    Args:
        items: all items, boxes first.
        boxes: indices of the boxes.
        chains: items of each arrow from box to box.
        rows: items of each row from left to right.
    """

    items: list[GraphNode]
    boxes: range
    chains: list[list[int]]
    rows: list[list[int]]


def lay_out(
    boxes: Sequence[tuple[float, float]], arrows: Sequence[tuple[int, int]], words: Sequence[tuple[float, float]]
) -> GraphLayout:
    """Lay out boxes and arrows.

    Args:
        boxes: width and height of each box in pixels, in topological order.
        arrows: source and target box of each arrow.
        words: width and height of the label of each arrow; (0, 0) without one.
    """
    depth = [0] * len(boxes)
    for source, target in sorted(arrows):
        depth[target] = max(depth[target], depth[source] + 1)
    items = [GraphNode(2 * row, *size) for row, size in zip(depth, boxes, strict=True)]
    chains = [_chain(items, *arrow, size) for arrow, size in zip(arrows, words, strict=True)]
    rows: list[list[int]] = [[] for _ in range(1 + max(item.row for item in items))]
    for index, item in enumerate(items):
        rows[item.row].append(index)
    layout = GraphLayout(items, range(len(boxes)), chains, _ordered(items, rows))
    _spread(layout)
    return layout


def _chain(items: list[GraphNode], source: int, target: int, size: tuple[float, float]) -> list[int]:
    """Add the items of an arrow, one in every row between; the last one, above the target, is the label."""
    first, last = items[source].row, items[target].row
    chain = [source, *range(len(items), len(items) + last - first - 1), target]
    items += [GraphNode(row) for row in range(first + 1, last)]
    items[chain[-2]].width, items[chain[-2]].height = size
    for above, below in pairwise(chain):
        items[above].down.append(below)
        items[below].up.append(above)
    return chain


def _ordered(items: list[GraphNode], rows: list[list[int]]) -> list[list[int]]:
    """Order of the rows with the fewest crossings over all sweeps."""
    best, fewest = [list(row) for row in rows], _crossings(items, rows)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        sequence = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
        for row in sequence:
            ranks = {item: rank for rank, item in enumerate(rows[row - 1 if down else row + 1])}
            rows[row] = _sorted(rows[row], lambda index: items[index].up if down else items[index].down, ranks)  # noqa: B023
        crossings = _crossings(items, rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _sorted(row: list[int], joined: Callable[[int], list[int]], ranks: dict[int, int]) -> list[int]:
    means = {
        index: fmean(ranks[other] for other in joined(index)) if joined(index) else float(rank)
        for rank, index in enumerate(row)
    }
    return sorted(row, key=means.__getitem__)


def _crossings(items: list[GraphNode], rows: list[list[int]]) -> int:
    """Number of pairs of arrows that cross."""
    crossings = 0
    for above, below in pairwise(rows):
        ranks = {item: rank for rank, item in enumerate(below)}
        passed: list[int] = []
        for item in above:
            ends = sorted(ranks[other] for other in items[item].down)
            crossings += sum(len(passed) - bisect_right(passed, end) for end in ends)
            for end in ends:
                insort(passed, end)
    return crossings


def _spread(layout: GraphLayout) -> None:
    """Move the items toward their neighbors as far as order and widths permit."""
    items, rows = layout.items, layout.rows
    for row in rows:
        _place(items, row, [(0.0, 1.0)] * len(row))
    for sweep in range(_SETTLING):
        for row in rows if sweep % 2 else rows[::-1]:
            _place(items, row, [_wanted(items, index, len(layout.boxes)) for index in row])


def _wanted(items: list[GraphNode], index: int, boxes: int) -> tuple[float, float]:
    """Weighted mean of the neighbors of an item, and its weight, which is largest for bends of one arrow."""
    joined = items[index].up + items[index].down
    weights = [_STRAIGHT[(index >= boxes) + (other >= boxes)] for other in joined]
    total = sum(weights)
    if not total:
        return items[index].x, 1.0
    return sum(weight * items[other].x for weight, other in zip(weights, joined, strict=True)) / total, total


def _place(items: list[GraphNode], row: list[int], targets: list[tuple[float, float]]) -> None:
    """Least-squares positions that keep order and distances, by the pool-adjacent-violators algorithm."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (items[left].width + items[right].width) / 2 + _GAP)
    pools: list[tuple[float, float, int]] = []
    for (target_x, weight), offset in zip(targets, offsets, strict=True):
        mean, count = target_x - offset, 1
        while pools and pools[-1][0] > mean:
            before, other, members = pools.pop()
            mean = (before * other + mean * weight) / (other + weight)
            weight, count = weight + other, count + members
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    for index, mean, offset in zip(row, means, offsets, strict=True):
        items[index].x = mean + offset
