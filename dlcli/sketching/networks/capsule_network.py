"""A capsule network and its images: class capsules, and the primary capsules they were routed from."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.task import Batch, Composed, Task
from dlcli.nn.capsule.layers import CapsuleLayer as Routed
from dlcli.nn.capsule.layers import SharedCapsuleLayer, length_logits
from dlcli.sketching.networks.edges import Edges
from dlcli.sketching.networks.modular_network import Seen
from dlcli.sketching.networks.pose_images import counted, decoded
from dlcli.sketching.recursive.object_graph import Objects, Structure, split_signs


class Capsules:
    """Modules "class NAME" of each class capsule, and "type 0" ... of the primary capsules: depth 2.

    Class capsules longer than `threshold` are the outputs, the longest one always; their weights are shares of the
    lengths. Below them are the types of primary capsules, with the routing's couplings (times lengths, summed over
    positions) as weights; all class capsules share them. Attributes are poses split into positive and negative parts,
    of a type the sum over its positions.

    Args:
        model: with `capsules(x)`.
        scenes: images that it was made for.
        threshold: length in [0, 1) from which a capsule is there.
        types: whether primary capsules are objects too.

    Raises:
        Mismatch: the model has no capsules, or none that are routed where `types` wants them.
    """

    def __init__(self, model: nn.Module, scenes: Task, *, threshold: float, types: bool) -> None:
        if not hasattr(model, "capsules"):
            raise Mismatch(f"network=capsules reads capsules, and {type(model).__name__} has none: network=channels")
        if not 0 <= threshold < 1:
            raise UsageError(f"network.threshold is a length from 0 to below 1, not {threshold:g}")
        routed = [part for part in model.modules() if isinstance(part, Routed | SharedCapsuleLayer)]
        if types and not routed:
            raise Mismatch(f"{type(model).__name__} routes no primary capsules: network.types=false")
        self._model: Any = model
        self._threshold, self._scenes = threshold, scenes
        self._routed = routed[-1] if types else None
        self._types = _types(model) if types else 0
        with torch.no_grad():
            poses, u = self._read(scenes.batch("test", 0).inputs[0][:1])
        self._classes, self._pose = poses.shape[1:]
        self.width = 2 * max(self._pose, u.shape[2] if u is not None else 0)
        names = [str(name) for name in getattr(scenes, "classes", range(self._classes))]
        self.modules = (*(f"class {name}" for name in names), *(f"type {number}" for number in range(self._types)))

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Class capsules, and primary capsules [batch, input, dim]."""
        heard: list[Tensor] = []
        if self._routed is None:
            return self._model.capsules(x), None
        handle = self._routed.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
        try:
            return self._model.capsules(x), heard[-1]
        finally:
            handle.remove()

    def objects(self, x: Float[Tensor, "scene channel height width"]) -> Seen:
        poses, u = self._read(x)
        length = torch.linalg.vector_norm(poses, dim=2)
        there = (length > self._threshold) | F.one_hot(length.argmax(1), self._classes).bool()
        edges, scenes = Edges(self.modules, len(x), x.device), torch.arange(len(x), device=x.device)
        at, kind = there.nonzero(as_tuple=True)
        tops = edges.add(at, kind)
        share = length * there / (length * there).sum(1, keepdim=True)
        edges.join(torch.full_like(tops, -1), tops, _places(there), share[there])
        attributes = [self._wide(poses[there])]
        if u is not None:
            weight, summed = self._below(u)
            objects = edges.add(scenes.repeat_interleave(self._types), self._typed(len(x)))
            below = objects.view(len(x), -1)[at]
            own = F.normalize(weight[kind, at].clamp(min=1e-30), p=1.0)
            position = torch.arange(self._types, device=x.device).expand_as(below)
            edges.join(tops[:, None].expand_as(below).flatten(), below.flatten(), position.flatten(), own.flatten())
            attributes.append(self._wide(summed))
        return Seen(Objects(edges.structure(), torch.cat(attributes)), self._totals(there).to(x), length_logits(poses))

    def _totals(self, there: Bool[Tensor, "scene class"]) -> Int[Tensor, "scene module"]:
        """Class capsules that are there, and all types."""
        count = there.sum(1, keepdim=True)
        return torch.cat(
            (count.expand(-1, self._classes), torch.full_like(count, self._types).expand(-1, self._types)), 1
        )

    def _typed(self, scenes: int) -> Int[Tensor, " object"]:
        kinds = torch.arange(self._classes, self._classes + self._types, device=next(self._model.parameters()).device)
        return kinds.repeat(scenes)

    def _below(self, u: Float[Tensor, "batch input dim"]) -> tuple[Tensor, Float[Tensor, "object dim"]]:
        """How much of each type goes to each class [class, batch, type], and the sum of its capsules."""
        assert self._routed is not None
        coupling = self._routed.couplings(u)
        sent = torch.linalg.vector_norm(u, dim=2)
        sent = sent.expand(self._classes, -1, -1) if coupling is None else coupling * sent
        by_type = u.unflatten(1, (self._types, -1)).sum(2)
        return sent.unflatten(2, (self._types, -1)).sum(3), by_type.flatten(0, 1)

    def _wide(self, poses: Float[Tensor, "object dim"]) -> Float[Tensor, "object attribute"]:
        parts, _ = split_signs(poses)
        return F.pad(parts, (0, self.width - parts.shape[1]))

    def decode(self, module: str, attributes: Float[Tensor, "n attribute"]) -> Tensor | None:
        number = self.modules.index(module)
        reconstruct = getattr(self._model, "reconstruct", None)
        if reconstruct is None or number >= self._classes:
            return None
        return decoded(reconstruct, attributes[:, : 2 * self._pose], number, self._classes)

    def pixels(self, x: Tensor, structure: Structure, number: int) -> Tensor | None:
        scene = int(structure.scene[number])
        return x[scene : scene + 1] if int(structure.module[number]) < self._classes else None

    def truth(self, batch: Batch) -> Int[Tensor, "scene module"] | None:
        if isinstance(self._scenes, Composed):
            return counted(self._scenes.sources(batch)[1], len(self.modules), self._classes)
        one = batch.target[:, None] if batch.target.dim() == 1 else None
        return counted(one, len(self.modules), self._classes) if one is not None else None


def _places(there: Bool[Tensor, "scene class"]) -> Int[Tensor, " object"]:
    """The class of each output, which is its position."""
    return there.nonzero(as_tuple=True)[1]


def _types(model: nn.Module) -> int:
    """Types of primary capsules: groups of channels of the convolution that makes them; all are one where none does."""
    primary, dim = getattr(model, "primary", None), getattr(model, "dim", None)
    return primary.out_channels // dim if isinstance(primary, nn.Conv2d) and isinstance(dim, int) else 1
