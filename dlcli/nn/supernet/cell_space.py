"""Search space of recurrent cells."""

from dataclasses import dataclass

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture, Decision, Graph, Node

FUNCTIONS = ("tanh", "relu", "sigmoid", "identity")


@dataclass(frozen=True)
class CellSpace:
    """Recurrent cells: every node but the first applies one of four functions to one of the earlier nodes.

    Node 1 is fixed: tanh of input and state. An architecture has two numbers per node from node 2 on: the node that it
    reads, from 0 for node 1, and its function, from 0 for tanh. The next state is the mean of these nodes.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.1, as in the corrected code (google-research, enas_lm): the
        first
    function is not a choice there, and the output is the mean of all nodes but the first, not of the leaves only.

    Args:
        nodes: number of nodes including node 1, at least 2; enas_lm counts searched nodes only, its 9 are 10 here.

    Raises:
        UsageError: `nodes` is smaller than 2.
    """

    nodes: int

    def __post_init__(self) -> None:
        if self.nodes < 2:
            raise UsageError("invalid_value", key="model.nodes", must="at least 2 (node 1 is fixed)", got=self.nodes)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(decision for node in range(1, self.nodes) for decision in _decisions(node))

    def graph(self, architecture: Architecture) -> Graph:
        """Graph from input and previous state through the nodes to the next state."""
        pairs = list(enumerate(zip(architecture[::2], architecture[1::2], strict=True), 1))
        first = (Node("x", "input"), Node("before", "previous state"), Node(_name(0), "1: tanh"))
        searched = (Node(_name(node), f"{node + 1}: {FUNCTIONS[function]}") for node, (_, function) in pairs)
        reads = ((_name(previous), _name(node), "") for node, (previous, _) in pairs)
        averaged = ((_name(node), "after", "") for node, _ in pairs)
        return Graph(
            (*first, *searched, Node("after", "mean: next state")),
            (("x", _name(0), ""), ("before", _name(0), ""), *reads, *averaged),
        )


def _decisions(node: int) -> tuple[Decision, Decision]:
    earlier = tuple(_name(previous) for previous in range(node))
    return Decision(f"{_name(node)} reads", earlier), Decision(f"{_name(node)} function", FUNCTIONS)


def _name(node: int) -> str:
    return f"node {node + 1}"
