"""How the modules of a network read one another, without the scenes: what questions about all scenes may know."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.linear_map import up
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.object_graph import OUTPUT, Structure
from dlcli.sketching.recursive.scale import Scale

_MOST = 4096  # ways to one module

Way = tuple[tuple[int, int], ...]
"""From an output: (position, module), and so on down to a module."""


@dataclass(frozen=True)
class Wiring:
    """Which module is read by which, at which position.

    Args:
        modules: their names.
        links: rows of (reader or OUTPUT, position, module), each once.
    """

    modules: tuple[str, ...]
    links: Int[Tensor, "link 3"]

    @classmethod
    def of(cls, structure: Structure) -> "Wiring":
        """All links that are in some scene."""
        reader = torch.where(structure.parent == OUTPUT, OUTPUT, structure.module[structure.parent.clamp(min=0)])
        links = torch.stack((reader, structure.position, structure.module[structure.child]), 1)
        return cls(structure.modules, links.unique(dim=0))

    def ways(self, module: int) -> list[Way]:
        """All ways from an output down to a module.

        Raises:
            UsageError: there are thousands.
        """
        below: dict[int, list[tuple[int, int]]] = {}
        for reader, position, read in self.links.tolist():
            below.setdefault(reader, []).append((position, read))
        able = _leading_to(module, below)
        found: list[Way] = []
        open_: list[tuple[Way, int]] = [((), OUTPUT)]
        while open_ and len(found) <= _MOST:
            way, at = open_.pop()
            if at == module:
                found.append(way)
            if len(way) < len(self.modules):
                open_ += [((*way, step), step[1]) for step in below.get(at, ()) if step[1] in able]
        if len(found) > _MOST:
            raise UsageError(f"more than {_MOST:,} ways lead to {self.modules[module]}: decoder=identity needs none")
        return sorted(found)


def _leading_to(module: int, below: dict[int, list[tuple[int, int]]]) -> set[int]:
    """Modules from which one gets to this one, itself included."""
    able = {module}
    while True:
        more = {reader for reader, steps in below.items() if any(read in able for _, read in steps)}
        if more <= able:
            return able
        able |= more


def chains(modules: tuple[str, ...], ways: list[Way]) -> tuple[Structure, Int[Tensor, " way"]]:
    """Each way as a scene of its own, all weights 1, and the numbers of the objects that the ways end in."""
    steps = [(scene, *step) for scene, way in enumerate(ways) for step in way]
    scene, position, module = torch.tensor(steps).T.contiguous()
    number = torch.arange(len(steps))
    first = torch.cat((torch.tensor([True]), scene[1:] != scene[:-1]))
    last = torch.cat((scene[1:] != scene[:-1], torch.tensor([True])))
    parent = torch.where(first, OUTPUT, number - 1)
    made = Structure(modules, module, scene, parent, number, position, torch.ones(len(steps)), len(ways))
    return made, number[last]


def marks(
    modules: tuple[str, ...], ways: list[Way], matrices: Matrices, scale: Scale
) -> Float[Tensor, "way dimension"]:
    """What the signature at the end of each way adds to a sketch, all weights being 1."""
    structure, ends = chains(modules, ways)
    ones = torch.zeros(len(structure.module)).index_fill_(0, ends, 1.0)
    return up(structure, torch.zeros(len(structure.module), 1), ones, matrices, scale)


def means(
    modules: tuple[str, ...], ways: list[Way], matrices: Matrices, scale: Scale, width: int
) -> Float[Tensor, "attribute dimension"]:
    """What attributes add to a sketch that are at the end of each way alike, together 1."""
    structure, ends = chains(modules, [way for way in ways for _ in range(width)])
    attributes = torch.zeros(len(structure.module), width)
    attributes[ends, torch.arange(len(ends)) % width] = 1.0
    nothing = torch.zeros(len(structure.module))
    return up(structure, attributes, nothing, matrices, scale).unflatten(0, (len(ways), width)).mean(0)
