"""Incremental construction of the object graphs of a batch of scenes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlcli.sketching.recursive.object_graph import OUTPUT, Structure


class Edges:
    """Collects objects and edges; attributes follow the order in which objects are added.

    Args:
        modules: names of the modules.
        scenes: number of scenes.
        device: device of the index tensors.
    """

    def __init__(self, modules: tuple[str, ...], scenes: int, device: torch.device) -> None:
        self._modules, self._scenes, self._device, self._count = modules, scenes, device, 0
        self._objects: list[tuple[Tensor, Tensor]] = []
        self._edges: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def add(self, scene: Int[Tensor, " object"], module: Int[Tensor, " object"] | int) -> Int[Tensor, " object"]:
        """Add objects in the given scenes; returns their indices."""
        kinds = module if isinstance(module, Tensor) else torch.full_like(scene, module)
        indices = torch.arange(self._count, self._count + len(scene), device=self._device)
        self._objects.append((scene, kinds))
        self._count += len(scene)
        return indices

    def join(
        self,
        parent: Int[Tensor, " edge"],
        child: Int[Tensor, " edge"],
        position: Int[Tensor, " edge"],
        weight: Float[Tensor, " edge"],
    ) -> None:
        """Add edges; the weights of the children of one parent sum to 1."""
        self._edges.append((parent, child, position, weight))

    def outputs(self, child: Int[Tensor, " object"]) -> None:
        """Make each object the only output of its scene."""
        zero = torch.zeros_like(child)
        self.join(zero + OUTPUT, child, zero, torch.ones(len(child), device=self._device))

    def structure(self) -> Structure:
        scene, module = (torch.cat(parts) for parts in zip(*self._objects, strict=True))
        parent, child, position, weight = (torch.cat(parts) for parts in zip(*self._edges, strict=True))
        return Structure(self._modules, module, scene, parent, child, position, weight, self._scenes)
