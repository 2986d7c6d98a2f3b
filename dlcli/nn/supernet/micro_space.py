"""Micro search space: a normal and a reduction cell, which a network stacks."""

from dataclasses import dataclass
from functools import cached_property

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture, Decision, Graph, Node, check_architecture

OPERATIONS = ("separable 3x3", "separable 5x5", "average pooling 3x3", "max pooling 3x3", "identity")
KINDS = ("normal", "reduction")


@dataclass(frozen=True)
class CellPlan:
    """Computation of a cell.

    States 0 and 1 are its inputs (the cell before the previous one, then the previous cell); its nodes follow.

    Args:
        nodes: two (state, operation) pairs per node, whose outputs are added.
        ends: states that no node reads, inputs included; they are concatenated.
    """

    nodes: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    ends: tuple[int, ...]


class MicroSpace:
    """Two cells of `nodes` nodes: each node adds two earlier states, each transformed by an operation.

    (product over nodes of (5 (node + 1))**2)**2 members: 10**4 for one node, 5.06 10**8 for two.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.4; unread states as in the published code.

    Args:
        nodes: number of nodes of each cell, at least 1.

    Raises:
        UsageError: `nodes` is smaller than 1.
    """

    def __init__(self, nodes: int) -> None:
        if nodes < 1:
            raise UsageError("invalid_value", key="model.nodes", must="at least 1", got=nodes)
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
        """Normal and reduction cell of an architecture."""
        check_architecture(self, architecture)
        half = 4 * self.nodes
        return self._cell(architecture[:half]), self._cell(architecture[half:])

    def _cell(self, numbers: Architecture) -> CellPlan:
        nodes = tuple(((a, b), (c, d)) for a, b, c, d in zip(*(numbers[offset::4] for offset in range(4)), strict=True))
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
    """Display name: input 1 is the cell before the previous one, input 2 the previous cell."""
    return f"input {state + 1}" if state < 2 else f"node {state - 1}"
