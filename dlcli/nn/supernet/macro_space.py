"""Macro search space: a chain of layers, each with an operation and skip connections."""

from functools import cached_property

from dlcli.core.errors import UsageError
from dlcli.core.space import Architecture, Decision, Graph, Node, check_architecture

OPERATIONS = (
    "convolution 3x3",
    "separable 3x3",
    "convolution 5x5",
    "separable 5x5",
    "average pooling 3x3",
    "max pooling 3x3",
)


class MacroSpace:
    """Whole networks: an operation for each layer, and a skip connection or none from each earlier layer.

    The operation reads the previous layer; layers are numbered from 1. 6**layers * 2**(layers (layers - 1) / 2)
    members: 6, 72, 1,728, 82,944 for one to four layers.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.3.

    Args:
        layers: number of layers, at least 1.

    Raises:
        UsageError: `layers` is smaller than 1.
    """

    def __init__(self, layers: int) -> None:
        if layers < 1:
            raise UsageError("invalid_value", key="model.layers", must="at least 1", got=layers)
        self.layers = layers

    @cached_property
    def decisions(self) -> tuple[Decision, ...]:
        decisions: list[Decision] = []
        for layer in range(1, self.layers + 1):
            decisions.append(Decision(f"layer {layer} operation", OPERATIONS))
            decisions += [
                Decision(f"layer {layer} reads layer {earlier}", ("no", "yes")) for earlier in range(1, layer)
            ]
        return tuple(decisions)

    def plan(self, architecture: Architecture) -> list[tuple[int, tuple[int, ...]]]:
        """Operation of every layer, and the earlier layers that are added to its output."""
        check_architecture(self, architecture)
        plan, start = [], 0
        for layer in range(1, self.layers + 1):
            operation, *skips = architecture[start : start + layer]
            plan.append((operation, tuple(earlier for earlier, yes in enumerate(skips, 1) if yes)))
            start += layer
        return plan

    def graph(self, architecture: Architecture) -> Graph:
        plan = self.plan(architecture)
        layers = [Node(f"layer {layer}", OPERATIONS[operation]) for layer, (operation, _) in enumerate(plan, 1)]
        edges = []
        for layer, (_, skips) in enumerate(plan, 1):
            before = "image" if layer == 1 else f"layer {layer - 1}"
            edges.append((before, f"layer {layer}", "and skip" if layer - 1 in skips else ""))
            edges += [(f"layer {earlier}", f"layer {layer}", "skip") for earlier in skips if earlier < layer - 1]
        return Graph(
            (Node("image", ""), *layers, Node("classes", "")), (*edges, (f"layer {self.layers}", "classes", ""))
        )
