"""The micro space: a normal and a reduction cell, of which a network is a chain."""

from dataclasses import dataclass
from functools import cached_property

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture, Decision, Graph, Node, check

OPERATIONS = ("separable 3x3", "separable 5x5", "average pooling 3x3", "max pooling 3x3", "identity")
KINDS = ("normal", "reduction")


@dataclass(frozen=True)
class CellPlan:
    """What a cell computes; states 0 and 1 are its inputs, the cell before the last and the last, then its nodes.

    Args:
        nodes: for each node its two (state, operation), which are added.
        ends: states that no node reads, which are concatenated; an unread input is one of them.
    """

    nodes: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    ends: tuple[int, ...]


class MicroSpace:
    """Two cells of `nodes` nodes: each node adds two earlier states, each through an operation.

    (product over nodes of (5 (node + 1))**2)**2 members: 10**4, 5.06 10**8 of one and two nodes.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.4; loose ends as in their published code.

    Args:
        nodes: of each cell.

    Raises:
        UsageError: there is no node.
    """

    def __init__(self, nodes: int) -> None:
        if nodes < 1:
            raise UsageError(f"model.nodes is at least 1, not {nodes}")
        self.nodes = nodes

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(
            decision
            for kind in KINDS
            for node in range(self.nodes)
            for side in ("first", "second")
            for decision in (
                Decision(f"{kind} node {node + 1} {side} input", tuple(map(state_name, range(node + 2)))),
                Decision(f"{kind} node {node + 1} {side} operation", OPERATIONS),
            )
        )

    def cells(self, architecture: Architecture) -> tuple[CellPlan, CellPlan]:
        """The normal and the reduction cell."""
        check(self, architecture)
        half = 4 * self.nodes
        return self._cell(architecture[:half]), self._cell(architecture[half:])

    def _cell(self, numbers: Architecture) -> CellPlan:
        nodes = tuple(((a, b), (c, d)) for a, b, c, d in zip(*(numbers[place::4] for place in range(4)), strict=True))
        read = {state for node in nodes for state, _ in node}
        return CellPlan(nodes, tuple(state for state in range(self.nodes + 2) if state not in read))

    def graph(self, architecture: Architecture) -> Graph:
        nodes: list[Node] = []
        edges: list[tuple[str, str, str]] = []
        for kind, cell in zip(KINDS, self.cells(architecture), strict=True):
            names = [f"{kind} {state_name(state)}" for state in range(self.nodes + 2)]
            result = f"{kind} cell"
            nodes += [Node(name, "add" if state > 1 else "") for state, name in enumerate(names)]
            nodes.append(Node(result, "concatenate"))
            for name, reads in zip(names[2:], cell.nodes, strict=True):
                edges += [(names[state], name, OPERATIONS[operation]) for state, operation in reads]
            edges += [(names[state], result, "") for state in cell.ends]
        return Graph(tuple(nodes), tuple(edges))


def state_name(state: int) -> str:
    """As users read it: input 1 is the cell before the last, input 2 the last."""
    return f"input {state + 1}" if state < 2 else f"node {state - 1}"
