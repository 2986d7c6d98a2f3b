"""The graph of modules of a network, and the sketch columns that belong to its paths."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.linear_map import forward_map
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Structure
from dlcli.sketching.recursive.scale import Scale

_MAX_PATHS = 4096  # paths to one module

ModulePath = tuple[tuple[int, int], ...]
"""Steps (position, module) from an output to a module."""


@dataclass(frozen=True)
class ModuleGraph:
    """Edges between modules with their positions.

    Args:
        modules: names of the modules.
        links: distinct rows (parent or OUTPUT, position, child).
    """

    modules: tuple[str, ...]
    links: Int[Tensor, "link 3"]

    @classmethod
    def of(cls, structure: Structure) -> "ModuleGraph":
        """All links that occur in a scene."""
        parent = torch.where(structure.parent == OUTPUT, OUTPUT, structure.module[structure.parent.clamp(min=0)])
        links = torch.stack((parent, structure.position, structure.module[structure.child]), 1)
        return cls(structure.modules, links.unique(dim=0))

    def paths(self, module: int) -> list[ModulePath]:
        """All paths from an output to a module.

        Raises:
            UsageError: there are more than 4,096 paths.
        """
        children: dict[int, list[tuple[int, int]]] = {}
        for parent, position, child in self.links.tolist():
            children.setdefault(parent, []).append((position, child))
        ancestors = _ancestors(module, children)
        paths: list[ModulePath] = []
        stack: list[tuple[ModulePath, int]] = [((), OUTPUT)]
        while stack and len(paths) <= _MAX_PATHS:
            path, end = stack.pop()
            if end == module:
                paths.append(path)
            if len(path) < len(self.modules):
                stack += [((*path, step), step[1]) for step in children.get(end, ()) if step[1] in ancestors]
        if len(paths) > _MAX_PATHS:
            feature = f"more than {_MAX_PATHS:,} paths to {self.modules[module]}"
            raise UsageError("unsupported", subject="decoder=joint", feature=feature, hint="use decoder=identity")
        return sorted(paths)


def _ancestors(module: int, children: dict[int, list[tuple[int, int]]]) -> set[int]:
    """Modules from which `module` can be reached, including itself."""
    ancestors = {module}
    while True:
        parents = {parent for parent, steps in children.items() if any(child in ancestors for _, child in steps)}
        if parents <= ancestors:
            return ancestors
        ancestors |= parents


def chains(modules: tuple[str, ...], paths: list[ModulePath]) -> tuple[Structure, Int[Tensor, " path"]]:
    """Each path as a scene with weights 1, and the indices of the last objects of the paths."""
    steps = [(scene, *step) for scene, path in enumerate(paths) for step in path]
    scene, position, module = torch.tensor(steps).T.contiguous()
    number = torch.arange(len(steps))
    first = torch.cat((torch.tensor([True]), scene[1:] != scene[:-1]))
    last = torch.cat((scene[1:] != scene[:-1], torch.tensor([True])))
    parent = torch.where(first, OUTPUT, number - 1)
    structure = Structure(modules, module, scene, parent, number, position, torch.ones(len(steps)), len(paths))
    return structure, number[last]


def signature_columns(
    modules: tuple[str, ...], paths: list[ModulePath], matrices: Matrices, scale: Scale
) -> Float[Tensor, "path dimension"]:
    """Contribution of the signature at the end of each path to a sketch, with all weights 1."""
    structure, ends = chains(modules, paths)
    ones = torch.zeros(len(structure.module)).index_fill_(0, ends, 1.0)
    return forward_map(structure, torch.zeros(len(structure.module), 1), ones, matrices, scale)


def attribute_columns(
    modules: tuple[str, ...], paths: list[ModulePath], matrices: Matrices, scale: Scale, width: int
) -> Float[Tensor, "attribute dimension"]:
    """Contribution of each attribute value to a sketch, averaged over the paths, with all weights 1."""
    structure, ends = chains(modules, [path for path in paths for _ in range(width)])
    attributes = torch.zeros(len(structure.module), width)
    attributes[ends, torch.arange(len(ends)) % width] = 1.0
    no_signatures = torch.zeros(len(structure.module))
    columns = forward_map(structure, attributes, no_signatures, matrices, scale)
    return columns.unflatten(0, (len(paths), width)).mean(0)
