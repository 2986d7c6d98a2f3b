"""Topological levels of the object graphs of a batch of scenes."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.core.errors import UsageError

Groups = list[tuple[int, Tensor]]


@dataclass(frozen=True)
class Levels:
    """Objects by height (length of the longest path to a leaf), and edges by the height of their parent.

    Args:
        objects: for each height, modules with the indices of their objects.
        edges: for each height, positions with the indices of the edges of parents at that height.
        outputs: positions with the indices of the edges of output pseudo-objects.
    """

    objects: list[Groups]
    edges: list[Groups]
    outputs: Groups


def levels(
    modules: tuple[str, ...],
    module: Int[Tensor, " object"],
    parent: Int[Tensor, " edge"],
    child: Int[Tensor, " edge"],
    position: Int[Tensor, " edge"],
) -> Levels:
    """Group objects and edges by level, for all scenes at once.

    Raises:
        UsageError: the graph has a cycle.
    """
    height = _heights(modules, module, parent, child)
    count = int(height.max()) + 1 if len(height) else 0
    inside = (parent >= 0).nonzero().squeeze(1)
    outside = (parent < 0).nonzero().squeeze(1)
    of_parent = height[parent[inside]]
    return Levels(
        objects=[_groups(module, (height == level).nonzero().squeeze(1)) for level in range(count)],
        edges=[_groups(position, inside[of_parent == level]) for level in range(count)],
        outputs=_groups(position, outside),
    )


def _groups(key: Tensor, indices: Tensor) -> Groups:
    """Indices grouped by their key."""
    if not len(indices):
        return []
    ordered, order = key[indices].sort(stable=True)
    keys, sizes = ordered.unique_consecutive(return_counts=True)
    return list(zip(keys.tolist(), indices[order].split(sizes.tolist()), strict=True))


def _heights(modules: tuple[str, ...], module: Tensor, parent: Tensor, child: Tensor) -> Tensor:
    inside = parent >= 0
    parent, child = parent[inside], child[inside]
    height = torch.full_like(module, -1)
    pending = torch.zeros_like(module).index_add_(0, parent, torch.ones_like(parent))  # children without a height
    level = 0
    ready = pending == 0
    while ready.any():
        height[ready] = level
        done = ready[child]
        pending = pending.index_add(0, parent[done], torch.ones_like(parent[done]), alpha=-1)
        ready = (pending == 0) & (height < 0)
        level += 1
    if (height < 0).any():
        names = sorted({modules[number] for number in module[height < 0].tolist()})
        raise UsageError("invalid_graph", problem=f"cycle among objects of modules {', '.join(names[:6])}")
    return height
