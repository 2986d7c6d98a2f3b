"""A capsule network as modules: class capsules, and the primary capsules routed to them."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.task import Batch, CompositeImages, Task
from dlcli.nn.capsule.layers import CapsuleLayer as RoutedCapsuleLayer
from dlcli.nn.capsule.layers import SharedCapsuleLayer, length_logits
from dlcli.sketching.networks.edges import Edges
from dlcli.sketching.networks.modular_network import SceneObjects
from dlcli.sketching.networks.pose_images import count_classes, decode_poses
from dlcli.sketching.recursive.object_graph import Objects, Structure, split_signs


class Capsules:
    """Modules "class NAME" for each class capsule and "type 0", ... for the primary capsules; depth 2.

    The outputs are the class capsules longer than `threshold`, and always the longest one; their weights are
    proportional to their lengths. Their children are the types of primary capsules, shared by all class capsules,
    weighted by the routing coefficients (times lengths, summed over positions). Attributes are poses split into
    positive and negative parts; those of a type are summed over its positions.

    Args:
        model: a model with `capsules(x)`.
        scenes: the task of the images.
        threshold: length in [0, 1) above which a capsule is an object.
        types: True to include the primary capsules as objects.

    Raises:
        Mismatch: the model has no capsules, or no routed primary capsules if `types` is True.
        UsageError: the threshold is out of range.
    """

    def __init__(self, model: nn.Module, scenes: Task, *, threshold: float, types: bool) -> None:
        if not hasattr(model, "capsules"):
            requirement, hint = "a model with capsules", "network=channels sketches any network"
            got = type(model).__name__
            raise Mismatch("mismatch", subject="network=capsules", requirement=requirement, got=got, hint=hint)
        if not 0 <= threshold < 1:
            raise UsageError("invalid_value", key="network.threshold", must="in [0, 1)", got=threshold)
        routed = [part for part in model.modules() if isinstance(part, RoutedCapsuleLayer | SharedCapsuleLayer)]
        if types and not routed:
            requirement, hint = "routed primary capsules", "set network.types=false"
            got = type(model).__name__
            raise Mismatch("mismatch", subject="network.types=true", requirement=requirement, got=got, hint=hint)
        self._model: Any = model
        self._threshold, self._scenes = threshold, scenes
        self._routed = routed[-1] if types else None
        self._types = _count_types(model) if types else 0
        with torch.no_grad():
            poses, u = self._read(scenes.batch("test", 0).inputs[0][:1])
        self._classes, self._pose = poses.shape[1:]
        self.width = 2 * max(self._pose, u.shape[2] if u is not None else 0)
        names = [str(name) for name in getattr(scenes, "classes", range(self._classes))]
        self.modules = (*(f"class {name}" for name in names), *(f"type {number}" for number in range(self._types)))

    def _read(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Class capsules, and primary capsules [batch, input, dim]; None without them."""
        inputs: list[Tensor] = []
        if self._routed is None:
            return self._model.capsules(x), None
        handle = self._routed.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        try:
            return self._model.capsules(x), inputs[-1]
        finally:
            handle.remove()

    def objects(self, x: Float[Tensor, "scene channel height width"]) -> SceneObjects:
        poses, u = self._read(x)
        length = torch.linalg.vector_norm(poses, dim=2)
        present = (length > self._threshold) | F.one_hot(length.argmax(1), self._classes).bool()
        edges, scenes = Edges(self.modules, len(x), x.device), torch.arange(len(x), device=x.device)
        scene, kind = present.nonzero(as_tuple=True)
        outputs = edges.add(scene, kind)
        share = length * present / (length * present).sum(1, keepdim=True)
        edges.join(torch.full_like(outputs, -1), outputs, kind, share[present])  # the class is the position
        attributes = [self._attributes(poses[present])]
        if u is not None:
            weight, summed = self._primary(u)
            types = torch.arange(self._classes, self._classes + self._types, device=x.device).repeat(len(x))
            objects = edges.add(scenes.repeat_interleave(self._types), types)
            children = objects.view(len(x), -1)[scene]
            weights = F.normalize(weight[kind, scene].clamp(min=1e-30), p=1.0)
            position = torch.arange(self._types, device=x.device).expand_as(children)
            parents = outputs[:, None].expand_as(children)
            edges.join(parents.flatten(), children.flatten(), position.flatten(), weights.flatten())
            attributes.append(self._attributes(summed))
        seen = Objects(edges.structure(), torch.cat(attributes))
        return SceneObjects(seen, self._totals(present).to(x), length_logits(poses))

    def _totals(self, present: Bool[Tensor, "scene class"]) -> Int[Tensor, "scene module"]:
        """Number of class capsules that are objects, and number of types."""
        count = present.sum(1, keepdim=True)
        return torch.cat(
            (count.expand(-1, self._classes), torch.full_like(count, self._types).expand(-1, self._types)), 1
        )

    def _primary(self, u: Float[Tensor, "batch input dim"]) -> tuple[Tensor, Float[Tensor, "object dim"]]:
        """Routing weight of each type to each class [class, batch, type], and the summed capsules of each type."""
        assert self._routed is not None
        coupling = self._routed.couplings(u)
        routed = torch.linalg.vector_norm(u, dim=2)
        routed = routed.expand(self._classes, -1, -1) if coupling is None else coupling * routed
        by_type = u.unflatten(1, (self._types, -1)).sum(2)
        return routed.unflatten(2, (self._types, -1)).sum(3), by_type.flatten(0, 1)

    def _attributes(self, poses: Float[Tensor, "object dim"]) -> Float[Tensor, "object attribute"]:
        """Poses with split signs, padded to the width."""
        parts, _ = split_signs(poses)
        return F.pad(parts, (0, self.width - parts.shape[1]))

    def decode(self, module: str, attributes: Float[Tensor, "n attribute"]) -> Tensor | None:
        number = self.modules.index(module)
        reconstruct = getattr(self._model, "reconstruct", None)
        if reconstruct is None or number >= self._classes:
            return None
        return decode_poses(reconstruct, attributes[:, : 2 * self._pose], number, self._classes)

    def pixels(self, x: Tensor, structure: Structure, number: int) -> Tensor | None:
        scene = int(structure.scene[number])
        return x[scene : scene + 1] if int(structure.module[number]) < self._classes else None

    def truth(self, batch: Batch) -> Int[Tensor, "scene module"] | None:
        if isinstance(self._scenes, CompositeImages):
            return count_classes(self._scenes.sources(batch)[1], len(self.modules), self._classes)
        if batch.target.dim() != 1:
            return None
        return count_classes(batch.target[:, None], len(self.modules), self._classes)


def _count_types(model: nn.Module) -> int:
    """Number of types of primary capsules: channel groups of the primary convolution, or 1 without one."""
    primary, dim = getattr(model, "primary", None), getattr(model, "dim", None)
    return primary.out_channels // dim if isinstance(primary, nn.Conv2d) and isinstance(dim, int) else 1
