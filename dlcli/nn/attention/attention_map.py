"""Attention maps of non-local blocks."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.learner import Image
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.image_grid import make_grid

_WARM, _COLD, _MARK = (1.0, 0.45, 0.0), (0.0, 0.45, 1.0), (0.1, 0.9, 0.3)
_SIDE = 64  # minimum pixels a side of an image
_VIDEOS = 6
_PAIRS = 4  # (image, map) pairs per row


def attention_map(trunk: nn.Sequential, x: Float[Tensor, "batch channel *space"]) -> Mapping[str, Image]:
    """Attention map of the last non-local block for the brightest position, as an image named `attention`.

    Each input is shown beside its map. The query position has a green frame; orange marks weights above the mean
    weight, blue those below it, both relative to the largest weight, so that uniform attention has no color. For videos
    the frames are shown above their maps, and the query position lies in the last frame. Empty if there is no such
    block.
    """
    blocks = [number for number, part in enumerate(trunk) if isinstance(part, NonLocalBlock)]
    if not blocks:
        return {}
    h = trunk[: blocks[-1]](x)
    block: Any = trunk[blocks[-1]]
    query = _brightest(x, h)
    weights = block.attention(h, query[:, None])[:, 0]
    framed = F.one_hot(query, h[0, 0].numel()).unflatten(1, h.shape[2:])
    space = x.shape[2:]
    images, maps, queries = (
        _gray(x),
        _interpolate(_relative_to_mean(weights), space),
        _interpolate(framed.to(weights), space),
    )
    draw = _video_grid if len(space) == 3 else _pair_grid
    return {"attention": Image(draw(*_color(images, maps, queries)))}


def _brightest(x: Tensor, h: Tensor) -> Tensor:
    """Flat position of h, int64 [batch], over which the image or the last frame is brightest."""
    gray = x.mean(1)
    frame = gray[:, -1] if gray.dim() == 4 else gray
    small = F.adaptive_avg_pool2d(frame[:, None], (h.shape[-2], h.shape[-1])).flatten(1)
    return h[0, 0].numel() - small.shape[1] + small.argmax(1)


def _gray(x: Tensor) -> Tensor:
    """One channel, min-max scaled per sample."""
    values = x.mean(1).flatten(1)
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    return ((values - low) / (high - low).clamp(min=1e-12)).view(len(x), *x.shape[2:])


def _relative_to_mean(weights: Tensor) -> Tensor:
    """Deviation of each weight from the mean, divided by the largest weight."""
    flat = weights.flatten(1)
    largest = flat.abs().amax(1, keepdim=True).clamp(min=1e-12)
    return ((flat - flat.mean(1, keepdim=True)) / largest).view(weights.shape)


def _interpolate(values: Tensor, space: torch.Size) -> Tensor:
    """Nearest-neighbor upsampling to the size of the input."""
    return F.interpolate(values[:, None], tuple(space))[:, 0]


def _color(images: Tensor, maps: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Images with the query framed, and maps over dimmed images: [batch, 3, *space], enlarged."""
    scale = -(-_SIDE // min(images.shape[-2:]))
    images, maps, queries = (_enlarged(part, scale)[:, None] for part in (images, maps, queries))
    colors = torch.tensor((_WARM, _COLD, _MARK)).to(images).view(3, 1, 3, *[1] * (images.dim() - 2))
    color, share = torch.where(maps > 0, colors[0], colors[1]), maps.abs()
    overlay = 0.5 * images * (1 - share) + color * share
    frame = (queries > 0) & (_eroded(queries) == 0)
    return torch.where(frame, colors[2], images), torch.where(frame, colors[2], overlay)


def _enlarged(images: Tensor, scale: int) -> Tensor:
    return images.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def _eroded(mask: Tensor) -> Tensor:
    """Erode a mask by two pixels."""
    flat = F.pad(mask.flatten(0, -3)[:, None], (2, 2, 2, 2))
    return (1 - F.max_pool2d(1 - flat, 5, 1)).view(mask.shape)


def _pair_grid(images: Tensor, maps: Tensor) -> Tensor:
    return make_grid(torch.stack((images, maps), 1).flatten(0, 1), columns=2 * _PAIRS, scale=1)


def _video_grid(videos: Tensor, maps: Tensor) -> Tensor:
    both = torch.stack((videos[:_VIDEOS], maps[:_VIDEOS]), 1).flatten(0, 1).transpose(1, 2)
    return make_grid(both.flatten(0, 1), columns=both.shape[1], scale=1)
