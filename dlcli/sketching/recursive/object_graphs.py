"""Structures side by side, and parts of them."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.sketching.recursive.object_graph import OUTPUT, Structure


def side_by_side(structures: Sequence[Structure]) -> Structure:
    """The scenes of all of them, of one network, in this order."""
    objects, scenes = 0, 0
    parts: list[tuple[Tensor, ...]] = []
    for one in structures:
        parent = torch.where(one.parent == OUTPUT, OUTPUT, one.parent + objects)
        parts.append((one.module, one.scene + scenes, parent, one.child + objects, one.position, one.weight))
        objects, scenes = objects + len(one.module), scenes + one.scenes
    module, scene, parent, child, position, weight = (torch.cat(part) for part in zip(*parts, strict=True))
    return Structure(structures[0].modules, module, scene, parent, child, position, weight, scenes)


def of_scenes(structure: Structure, scenes: Int[Tensor, " some"]) -> tuple[Structure, Int[Tensor, " object"]]:
    """These scenes alone, in this order, and the numbers that their objects had."""
    place = torch.full((structure.scenes,), -1, dtype=torch.long)
    place[scenes] = torch.arange(len(scenes))
    where = place[structure.scene]
    kept = (where >= 0).nonzero().squeeze(1)
    kept = kept[where[kept].argsort(stable=True)]
    number = torch.full_like(structure.module, -1)
    number[kept] = torch.arange(len(kept))
    edges = number[structure.child] >= 0
    parent = structure.parent[edges]
    parent = torch.where(parent == OUTPUT, OUTPUT, number[parent.clamp(min=0)])
    child, position, weight = number[structure.child[edges]], structure.position[edges], structure.weight[edges]
    whole = Structure(
        structure.modules, structure.module[kept], where[kept], parent, child, position, weight, len(scenes)
    )
    return whole, kept


def counts(structure: Structure) -> Int[Tensor, "scene module"]:
    """How many objects of each module there are in each scene."""
    many = len(structure.modules)
    flat = torch.bincount(structure.scene * many + structure.module, minlength=structure.scenes * many)
    return flat.view(structure.scenes, many)
