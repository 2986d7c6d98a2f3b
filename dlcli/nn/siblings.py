"""A tree of nodes by families: those that read the same node, whose matrices lie side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class SiblingNodes:
    """Nodes that read the same node: one matmul makes all of them.

    Args:
        parent: the node that they read, 0 for node 1.
        nodes: them, those of one function side by side.
        runs: (function, first, end) of their places in `nodes`.
        place: of the first of them, in the order of all searched nodes by siblings.
    """

    parent: int
    nodes: tuple[int, ...]
    runs: tuple[tuple[int, int, int], ...]
    place: int


def group_siblings(previous: Sequence[int], functions: Sequence[int]) -> tuple[SiblingNodes, ...]:
    """The families of a tree, parents before children; entry i of the arguments is node i + 1's."""
    families: list[SiblingNodes] = []
    place = 0
    for parent in sorted(set(previous)):
        children = [node for node, read in enumerate(previous, 1) if read == parent]
        children.sort(key=lambda node: functions[node - 1])
        ordered = [functions[node - 1] for node in children]
        runs = ((one, ordered.index(one), ordered.index(one) + ordered.count(one)) for one in sorted(set(ordered)))
        families.append(SiblingNodes(parent, tuple(children), tuple(runs), place))
        place += len(children)
    return tuple(families)


def concatenate_matrices(matrices: Sequence[Float[Tensor, "unit both"]]) -> Float[Tensor, "unit all"]:
    """The matrices of siblings side by side: first what makes their candidates, then what makes their gates."""
    halves = [matrix.chunk(2, 1) for matrix in matrices]
    return torch.cat([half[part] for part in (0, 1) for half in halves], 1)
