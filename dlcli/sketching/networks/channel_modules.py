"""The channels or units of a layer of any network as modules."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.task import Task
from dlcli.sketching.networks.edges import Edges
from dlcli.sketching.networks.modular_network import SceneObjects
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, split_signs

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class Channels:
    """Modules "channel 0", ... of a layer: the objects of an image are its `top` strongest channels; depth 1.

    The strength of a channel is the norm of its feature map. Weights are proportional to the strengths; the attribute
    is the feature map, average-pooled to `grid` x `grid` and split into positive and negative parts. A unit of a linear
    layer has one value. Positions are ordered by strength.

    Args:
        model: any network.
        scenes: the task of the images.
        layer: name of the layer; None for the last convolution, or the second last linear layer without one.
        top: number of channels per image.
        grid: side of the pooled feature map.

    Raises:
        UsageError: the layer is unknown, or a number is out of range.
        Mismatch: the network has no suitable layer.
    """

    def __init__(self, model: nn.Module, scenes: Task, *, layer: str | None, top: int, grid: int) -> None:
        for key, value in (("top", top), ("grid", grid)):
            if value < 1:
                raise UsageError("invalid_value", key=f"network.{key}", must="at least 1", got=value)
        self._model, self._grid = model, grid
        self.layer = layer or _default_layer(model)
        parts = dict(model.named_modules())
        if not self.layer or self.layer not in parts:
            known = [name for name in parts if name]
            raise UsageError("unknown_name", kind="network.layer", name=self.layer, known=known)
        self._part = parts[self.layer]
        with torch.no_grad():
            maps, _ = self._read(scenes.batch("test", 0).inputs[0][:1])
        channels = maps.shape[1]
        if top > channels:
            must = f"at most {channels}, the number of channels of {self.layer}"
            raise UsageError("invalid_value", key="network.top", must=must, got=top)
        self._top, self.width = top, 2 * self._pool(maps).shape[2]
        self.modules = tuple(f"channel {number}" for number in range(channels))

    def _read(self, x: Tensor) -> tuple[Float[Tensor, "scene channel *places"], Tensor]:
        """Feature maps of the layer, and the network's output."""
        maps: list[Tensor] = []
        handle = self._part.register_forward_hook(lambda module, args, result: maps.append(result.clone()))
        try:
            output = self._model(x)
        finally:
            handle.remove()
        if not maps or not isinstance(maps[-1], Tensor) or maps[-1].dim() < 2 or len(maps[-1]) != len(x):
            got = tuple(maps[-1].shape) if maps and isinstance(maps[-1], Tensor) else "no tensor"
            requirement = "a layer with output [image, channel, ...]"
            raise Mismatch("mismatch", subject=f"network.layer={self.layer}", requirement=requirement, got=got)
        return maps[-1], output

    def _pool(self, maps: Tensor) -> Float[Tensor, "scene channel place"]:
        pools: dict[int, Any] = {3: F.adaptive_avg_pool1d, 4: F.adaptive_avg_pool2d, 5: F.adaptive_avg_pool3d}
        if maps.dim() == 2:
            return maps[:, :, None]
        size = tuple(min(self._grid, length) for length in maps.shape[2:])
        return pools[maps.dim()](maps, size if len(size) > 1 else size[0]).flatten(2)

    def objects(self, x: Float[Tensor, "scene *axes"]) -> SceneObjects:
        maps, output = self._read(x)
        strength, kind = torch.linalg.vector_norm(maps.flatten(2) if maps.dim() > 2 else maps[:, :, None], dim=2).topk(
            self._top
        )
        edges, scenes = Edges(self.modules, len(x), x.device), torch.arange(len(x), device=x.device)
        objects = edges.add(scenes.repeat_interleave(self._top), kind.flatten())
        position = torch.arange(self._top, device=x.device).repeat(len(x))
        share = F.normalize(strength.clamp(min=1e-30), p=1.0)
        edges.join(torch.full_like(objects, OUTPUT), objects, position, share.flatten())
        pooled = self._pool(maps)
        attributes, _ = split_signs(pooled.gather(1, kind[..., None].expand(-1, -1, pooled.shape[2])).flatten(0, 1))
        total = torch.full((len(x), len(self.modules)), float(self._top), device=x.device)
        return SceneObjects(Objects(edges.structure(), attributes), total, output)


def _default_layer(model: nn.Module) -> str:
    """Name of the last convolution, otherwise of the second last linear layer, otherwise of the only one.

    Raises:
        Mismatch: the model has neither.
    """
    layers = [(name, part) for name, part in model.named_modules() if isinstance(part, _LAYERS)]
    convolutions = [name for name, part in layers if not isinstance(part, nn.Linear)]
    if not layers:
        requirement, hint = "a convolution or linear layer", "set network.layer=NAME"
        raise Mismatch(
            "mismatch", subject="network=channels", requirement=requirement, got=type(model).__name__, hint=hint
        )
    return convolutions[-1] if convolutions else layers[max(0, len(layers) - 2)][0]
