"""Concatenation and selection of object graphs, and counts of their modules."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from dlcli.sketching.recursive.object_graph import OUTPUT, Structure


def concatenate(structures: Sequence[Structure]) -> Structure:
    """The scenes of several structures of one network, in the given order."""
    objects, scenes = 0, 0
    parts: list[tuple[Tensor, ...]] = []
    for each in structures:
        parent = torch.where(each.parent == OUTPUT, OUTPUT, each.parent + objects)
        parts.append((each.module, each.scene + scenes, parent, each.child + objects, each.position, each.weight))
        objects, scenes = objects + len(each.module), scenes + each.scenes
    module, scene, parent, child, position, weight = (torch.cat(part) for part in zip(*parts, strict=True))
    return Structure(structures[0].modules, module, scene, parent, child, position, weight, scenes)


def select_scenes(structure: Structure, scenes: Int[Tensor, " selected"]) -> tuple[Structure, Int[Tensor, " object"]]:
    """The given scenes in the given order, and the original indices of their objects."""
    new_scene = torch.full((structure.scenes,), -1, dtype=torch.long)
    new_scene[scenes] = torch.arange(len(scenes))
    scene = new_scene[structure.scene]
    objects = (scene >= 0).nonzero().squeeze(1)
    objects = objects[scene[objects].argsort(stable=True)]
    number = torch.full_like(structure.module, -1)
    number[objects] = torch.arange(len(objects))
    edges = number[structure.child] >= 0
    parent = structure.parent[edges]
    parent = torch.where(parent == OUTPUT, OUTPUT, number[parent.clamp(min=0)])
    child, position, weight = number[structure.child[edges]], structure.position[edges], structure.weight[edges]
    selected = Structure(
        structure.modules, structure.module[objects], scene[objects], parent, child, position, weight, len(scenes)
    )
    return selected, objects


def module_counts(structure: Structure) -> Int[Tensor, "scene module"]:
    """Number of objects of each module in each scene."""
    modules = len(structure.modules)
    flat = torch.bincount(structure.scene * modules + structure.module, minlength=structure.scenes * modules)
    return flat.view(structure.scenes, modules)
