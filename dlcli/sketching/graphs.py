"""Structures side by side, and parts of them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.sketching.objects import OUTPUT, Structure
from dlcli.sketching.scaling import Scale, scaled


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


def shares(structure: Structure, scale: Scale) -> Float[Tensor, " object"]:
    """Of each object, the product of weights (or of their roots) from an output down, summed over all ways."""
    weight, top = scaled(structure.weight, scale), structure.parent == OUTPUT
    before, now = None, weight.new_zeros(len(structure.module))
    while before is None or not torch.equal(before, now):  # once more than the graph is deep
        before, above = now, torch.where(top, 1, now[structure.parent.clamp(min=0)])
        now = torch.zeros_like(now).index_add_(0, structure.child, weight * above)
    return now


def counts(structure: Structure) -> Int[Tensor, "scene module"]:
    """How many objects of each module there are in each scene."""
    many = len(structure.modules)
    flat = torch.bincount(structure.scene * many + structure.module, minlength=structure.scenes * many)
    return flat.view(structure.scenes, many)
