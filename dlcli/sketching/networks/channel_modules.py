"""A layer of any network: its channels, or units, are modules."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError, nearest
from dlcli.core.task import Task
from dlcli.sketching.networks.edges import Edges
from dlcli.sketching.networks.modular_network import Seen
from dlcli.sketching.recursive.object_graph import OUTPUT, Objects, split_signs

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


class Channels:
    """Modules "channel 0" ... of a layer: the objects of an image are its `top` strongest channels. Depth 1.

    A channel's strength is the length of its map; its weight is its share of the strengths, its attribute the map,
    averaged over a grid of `grid` places a side and split into positive and negative parts. Units without places have
    one value. Positions are the order of the strengths.

    Args:
        model: any network.
        scenes: what it was made for.
        layer: its name; None is the last convolution, or the last but one linear layer where there is none.
        top: channels of an image that are objects.
        grid: places a side.

    Raises:
        UsageError: there is no such layer, or a number is too small.
        Mismatch: the network has no layer with channels.
    """

    def __init__(self, model: nn.Module, scenes: Task, *, layer: str | None, top: int, grid: int) -> None:
        if min(top, grid) < 1:
            raise UsageError(f"network.top and network.grid are at least 1, not {top} and {grid}")
        self._model, self._grid = model, grid
        self.layer = layer or _chosen(model)
        parts = dict(model.named_modules())
        if not self.layer or self.layer not in parts:
            raise UsageError(
                f"network.layer: no part {self.layer!r}{nearest(self.layer, [name for name in parts if name])}"
            )
        self._part = parts[self.layer]
        with torch.no_grad():
            maps, _ = self._read(scenes.batch("test", 0).inputs[0][:1])
        channels = maps.shape[1]
        if top > channels:
            raise UsageError(f"network.top is at most {channels}, the channels of {self.layer}, not {top}")
        self._top, self.width = top, 2 * self._pooled(maps).shape[2]
        self.modules = tuple(f"channel {number}" for number in range(channels))

    def _read(self, x: Tensor) -> tuple[Float[Tensor, "scene channel *places"], Tensor]:
        heard: list[Tensor] = []
        handle = self._part.register_forward_hook(lambda part, given, answer: heard.append(answer.clone()))
        try:
            output = self._model(x)
        finally:
            handle.remove()
        if not heard or not isinstance(heard[-1], Tensor) or heard[-1].dim() < 2 or len(heard[-1]) != len(x):
            raise Mismatch(f"network.layer: {self.layer} does not answer with one row of channels for each image")
        return heard[-1], output

    def _pooled(self, maps: Tensor) -> Float[Tensor, "scene channel place"]:
        pools: dict[int, Any] = {3: F.adaptive_avg_pool1d, 4: F.adaptive_avg_pool2d, 5: F.adaptive_avg_pool3d}
        if maps.dim() == 2:
            return maps[:, :, None]
        places = tuple(min(self._grid, length) for length in maps.shape[2:])
        return pools[maps.dim()](maps, places if len(places) > 1 else places[0]).flatten(2)

    def objects(self, x: Float[Tensor, "scene *axes"]) -> Seen:
        maps, output = self._read(x)
        strength, kind = torch.linalg.vector_norm(maps.flatten(2) if maps.dim() > 2 else maps[:, :, None], dim=2).topk(
            self._top
        )
        edges, scenes = Edges(self.modules, len(x), x.device), torch.arange(len(x), device=x.device)
        made = edges.add(scenes.repeat_interleave(self._top), kind.flatten())
        place = torch.arange(self._top, device=x.device).repeat(len(x))
        share = F.normalize(strength.clamp(min=1e-30), p=1.0)
        edges.join(torch.full_like(made, OUTPUT), made, place, share.flatten())
        pooled = self._pooled(maps)
        attributes, _ = split_signs(pooled.gather(1, kind[..., None].expand(-1, -1, pooled.shape[2])).flatten(0, 1))
        total = torch.full((len(x), len(self.modules)), float(self._top), device=x.device)
        return Seen(Objects(edges.structure(), attributes), total, output)


def _chosen(model: nn.Module) -> str:
    """The last convolution, else the last linear layer but one, else the only one.

    Raises:
        Mismatch: there is none.
    """
    layers = [(name, part) for name, part in model.named_modules() if isinstance(part, _LAYERS)]
    convolutions = [name for name, part in layers if not isinstance(part, nn.Linear)]
    if not layers:
        raise Mismatch(f"{type(model).__name__} has neither convolutions nor linear layers: name one by network.layer=")
    return convolutions[-1] if convolutions else layers[max(0, len(layers) - 2)][0]
