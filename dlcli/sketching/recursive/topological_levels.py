"""In which order the objects of a batch of scenes can be sketched."""

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.core.errors import UsageError

Groups = list[tuple[int, Tensor]]


@dataclass(frozen=True)
class Levels:
    """Objects by height, the longest way down to one without children, and edges by the height of their parent.

    Args:
        objects: at each height, modules with the numbers of their objects.
        edges: at each height, positions with the numbers of the edges that lead to children there.
        outputs: positions with the numbers of the edges of output pseudo-objects.
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
    """Sort objects and edges, for all scenes at once.

    Raises:
        UsageError: there is a cycle.
    """
    height = _heights(modules, module, parent, child)
    tall = int(height.max()) + 1 if len(height) else 0
    inside = (parent >= 0).nonzero().squeeze(1)
    outside = (parent < 0).nonzero().squeeze(1)
    of_parent = height[parent[inside]]
    return Levels(
        objects=[_groups(module, (height == level).nonzero().squeeze(1)) for level in range(tall)],
        edges=[_groups(position, inside[of_parent == level]) for level in range(tall)],
        outputs=_groups(position, outside),
    )


def _groups(key: Tensor, which: Tensor) -> Groups:
    """The numbers of `which` by their key."""
    if not len(which):
        return []
    ordered, order = key[which].sort(stable=True)
    names, counts = ordered.unique_consecutive(return_counts=True)
    return list(zip(names.tolist(), which[order].split(counts.tolist()), strict=True))


def _heights(modules: tuple[str, ...], module: Tensor, parent: Tensor, child: Tensor) -> Tensor:
    inside = parent >= 0
    parent, child = parent[inside], child[inside]
    height = torch.full_like(module, -1)
    waits = torch.zeros_like(module).index_add_(0, parent, torch.ones_like(parent))
    level = 0
    ready = waits == 0
    while ready.any():
        height[ready] = level
        done = ready[child]
        waits = waits.index_add(0, parent[done], torch.ones_like(parent[done]), alpha=-1)
        ready = (waits == 0) & (height < 0)
        level += 1
    if (height < 0).any():
        names = sorted({modules[number] for number in module[height < 0].tolist()})
        raise UsageError(f"objects are made of each other in a cycle, among modules {', '.join(names[:6])}")
    return height
