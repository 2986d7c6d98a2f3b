"""The space of recurrent cells: a tree of nodes over a fixed first one."""

from dataclasses import dataclass

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture, Decision, Graph, Node

FUNCTIONS = ("tanh", "relu", "sigmoid", "identity")


@dataclass(frozen=True)
class CellSpace:
    """Recurrent cells: every node but the first reads one of the earlier nodes through one of four functions.

    Node 1 is fixed: it reads the input and the state with tanh. An architecture has two numbers a node from node 2 on:
    the node that it reads, from 0 for node 1, and its function, from 0 for tanh. The state is the mean of these nodes.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.1, as the corrected code has it (google-research, enas_lm):
    there the paper's first function is no choice, and all nodes but the first make the output, not the leaves alone.

    Args:
        nodes: of a cell, node 1 among them, at least 2; enas_lm counts those that are searched alone, its 9 are 10.

    Raises:
        UsageError: fewer than 2 nodes.
    """

    nodes: int

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise UsageError(f"model.nodes is at least 2, not {self.nodes}: node 1 is fixed")

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(decision for node in range(1, self.nodes) for decision in _decisions(node))

    def graph(self, architecture: Architecture) -> Graph:
        """The nodes with their functions, under the input and the state before, over the state after."""
        pairs = list(enumerate(zip(architecture[::2], architecture[1::2], strict=True), 1))
        first = (Node("x", "input"), Node("before", "state before"), Node(_name(0), "1: tanh"))
        searched = (Node(_name(node), f"{node + 1}: {FUNCTIONS[function]}") for node, (_, function) in pairs)
        reads = ((_name(previous), _name(node), "") for node, (previous, _) in pairs)
        averaged = ((_name(node), "after", "") for node, _ in pairs)
        return Graph(
            (*first, *searched, Node("after", "mean: state after")),
            (("x", _name(0), ""), ("before", _name(0), ""), *reads, *averaged),
        )


def _decisions(node: int) -> tuple[Decision, Decision]:
    earlier = tuple(_name(previous) for previous in range(node))
    return Decision(f"{_name(node)} reads", earlier), Decision(f"{_name(node)} function", FUNCTIONS)


def _name(node: int) -> str:
    return f"node {node + 1}"
