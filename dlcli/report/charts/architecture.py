"""SVG diagrams of network architectures."""

from html import escape

from dlcli.core.space import Graph
from dlcli.report.charts.graph_layout import GraphLayout, GraphNode, lay_out

_STYLE = (
    "svg{--ground:#ffffff;--card:#eef3f8;--ink:#1b1f24;--quiet:#5d6673;--line:#0072b2;"
    'font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}'
    "@media (prefers-color-scheme:dark){"
    "svg{--ground:#15181d;--card:#252c35;--ink:#e6e9ee;--quiet:#a5afbc;--line:#56b4e9}}"
    ".ground{fill:var(--ground)}.box{fill:var(--card);stroke:var(--line);stroke-width:1.2}"
    ".way{fill:none;stroke:var(--line);stroke-width:1.4}.head{fill:var(--line)}"
    "text{text-anchor:middle;fill:var(--ink);font-size:13px}.title{font-size:15px;font-weight:600}"
    ".label{fill:var(--quiet);font-size:12px}"
    ".words{fill:var(--ink);font-size:11px;paint-order:stroke;stroke:var(--ground);stroke-width:5px;"
    "stroke-linejoin:round}"
)
_MARGIN, _TITLE, _BETWEEN = 20.0, 34.0, 48.0
_BEND, _NEAR = 22.0, 18.0  # after a row, and after a row without labels
_HEAD = 7.0


def svg(graph: Graph, title: str) -> str:
    """Draw a graph as self-contained SVG, with boxes in rows and arrows pointing down.

    Connected components are drawn side by side.
    """
    left, bottom, drawn = _MARGIN, 0.0, []
    for part in _parts(graph):
        layout = _laid_out(part)
        tops, height = _tops(layout)
        begin = min(item.x - item.width / 2 for item in layout.items)
        end = max(item.x + item.width / 2 for item in layout.items)
        for item in layout.items:
            item.x += left - begin
        drawn += _draw(part, layout, tops)
        left, bottom = left + end - begin + _BETWEEN, max(bottom, height)
    width = max(left - _BETWEEN + _MARGIN, 8.5 * len(title) + 2 * _MARGIN)
    bottom += _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{bottom:.0f}" '
        f'viewBox="0 0 {width:.0f} {bottom:.0f}">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n'
        f'<rect class="ground" width="100%" height="100%"/>\n'
        f'<text class="title" x="{width / 2:.1f}" y="{_MARGIN + 4:.1f}">{escape(title)}</text>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def _parts(graph: Graph) -> list[Graph]:
    """Connected components of the graph."""
    piece = {node.name: index for index, node in enumerate(graph.nodes)}
    for source, target, _ in graph.edges:
        old, new = piece[target], piece[source]
        piece = {name: new if number == old else number for name, number in piece.items()}
    return [
        Graph(
            tuple(node for node in graph.nodes if piece[node.name] == number),
            tuple(edge for edge in graph.edges if piece[edge[0]] == number),
        )
        for number in dict.fromkeys(piece.values())
    ]


def _laid_out(graph: Graph) -> GraphLayout:
    place = {node.name: number for number, node in enumerate(graph.nodes)}
    boxes = [
        (max(7.4 * len(node.name), 6.9 * len(node.label), 44.0) + 18, 40.0 if node.label else 28.0)
        for node in graph.nodes
    ]
    words = [(6.4 * len(words), 14.0) if words else (0.0, 0.0) for _, _, words in graph.edges]
    return lay_out(boxes, [(place[source], place[target]) for source, target, _ in graph.edges], words)


def _tops(layout: GraphLayout) -> tuple[list[float], float]:
    """Top of every row and bottom of the last row in pixels; a row without labels has no height."""
    tops, y = [], _MARGIN + _TITLE
    for height in _heights(layout):
        tops.append(y)
        y += height + (_BEND if height else _NEAR)
    return tops, y - _BEND


def _heights(layout: GraphLayout) -> list[float]:
    return [max(layout.items[one].height for one in row) for row in layout.rows]


def _draw(graph: Graph, layout: GraphLayout, tops: list[float]) -> list[str]:
    heights = _heights(layout)
    middle = [top + height / 2 for top, height in zip(tops, heights, strict=True)]
    leaving, arriving = _ports(layout)
    drawn = []
    for number, chain in enumerate(layout.chains):
        first, *between, last = (layout.items[one] for one in chain)
        points = [(leaving[number], middle[first.row] + first.height / 2)]
        for item in between:
            if not heights[item.row]:
                continue
            points += [(item.x, tops[item.row]), (item.x, tops[item.row] + heights[item.row])]
        end = middle[last.row] - last.height / 2
        points.append((arriving[number], end - _HEAD))
        drawn += [_way(points), _head(arriving[number], end)]
    for (_, _, words), chain in zip(graph.edges, layout.chains, strict=True):
        item = layout.items[chain[-2]]
        if words:
            drawn.append(_text("words", item.x, middle[item.row] + 4, words))
    for node, item in zip(graph.nodes, layout.items, strict=False):
        drawn += _box(item, middle[item.row], node.name, node.label)
    return drawn


def _ports(layout: GraphLayout) -> tuple[list[float], list[float]]:
    """X of the start and end of each arrow, spread along the edge of its box in the order of the neighbors."""
    leaving, arriving = [0.0] * len(layout.chains), [0.0] * len(layout.chains)
    for ports, end, next_ in ((leaving, 0, 1), (arriving, -1, -2)):
        at: dict[int, list[int]] = {}
        for number, chain in enumerate(layout.chains):
            at.setdefault(chain[end], []).append(number)
        for box, numbers in at.items():
            item = layout.items[box]
            numbers.sort(key=lambda number: layout.items[layout.chains[number][next_]].x)
            apart = min(26.0, (item.width - 16) / len(numbers))
            for rank, number in enumerate(numbers):
                ports[number] = item.x + apart * (rank - (len(numbers) - 1) / 2)
    return leaving, arriving


def _way(points: list[tuple[float, float]]) -> str:
    (x, y), *rest = points
    path = [f"M{x:.1f} {y:.1f}"]
    for a, b in rest:
        half = (y + b) / 2
        path.append(f"V{b:.1f}" if abs(a - x) < 0.05 else f"C{x:.1f} {half:.1f} {a:.1f} {half:.1f} {a:.1f} {b:.1f}")
        x, y = a, b
    return f'<path class="way" d="{" ".join(path)}"/>'


def _head(x: float, y: float) -> str:
    return f'<path class="head" d="M{x - 4:.1f} {y - _HEAD:.1f}h8L{x:.1f} {y:.1f}z"/>'


def _box(item: GraphNode, middle: float, name: str, label: str) -> list[str]:
    corner = f'x="{item.x - item.width / 2:.1f}" y="{middle - item.height / 2:.1f}"'
    box = f'<rect class="box" {corner} width="{item.width:.1f}" height="{item.height:.1f}" rx="7"/>'
    if not label:
        return [box, _text("name", item.x, middle + 4.5, name)]
    return [box, _text("name", item.x, middle - 4, name), _text("label", item.x, middle + 12, label)]


def _text(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
