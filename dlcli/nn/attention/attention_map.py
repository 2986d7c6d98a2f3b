"""Pictures of where a non-local block looks."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.learner import Image
from dlcli.nn.image_grid import make_grid
from dlcli.nn.attention.non_local import NonLocalBlock

_WARM, _COLD, _MARK = (1.0, 0.45, 0.0), (0.0, 0.45, 1.0), (0.1, 0.9, 0.3)
_SIDE = 64  # pixels that a picture has at least
_FILMS = 6
_PAIRS = 4  # image and map, so many times in a row


def attention_map(trunk: nn.Sequential, x: Float[Tensor, "batch channel *space"]) -> Mapping[str, Image]:
    """What the last non-local block gathers for the brightest place, as a picture named `attention`.

    Every image stands beside its map: the place is framed in green, orange is what it looks at more than at the average
    position, blue what it looks at less, both as shares of its largest weight; so a map of equal weights has no colour.
    Of a film the frames stand over their maps, and the place is in the last one. Empty without such a block.
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
    images, maps, places = _grey(x), _spread(_uneven(weights), space), _spread(framed.to(weights), space)
    draw = _film if len(space) == 3 else _pairs
    return {"attention": Image(draw(*_coloured(images, maps, places)))}


def _brightest(x: Tensor, h: Tensor) -> Tensor:
    """int64 [batch]: the position of h over which an image, or the last frame of a film, is brightest."""
    grey = x.mean(1)
    frame = grey[:, -1] if grey.dim() == 4 else grey
    small = F.adaptive_avg_pool2d(frame[:, None], (h.shape[-2], h.shape[-1])).flatten(1)
    return h[0, 0].numel() - small.shape[1] + small.argmax(1)


def _grey(x: Tensor) -> Tensor:
    """One channel, from black to white over the values of each sample."""
    values = x.mean(1).flatten(1)
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)
    return ((values - low) / (high - low).clamp(min=1e-12)).view(len(x), *x.shape[2:])


def _uneven(weights: Tensor) -> Tensor:
    """How far each weight is from their mean, as a share of the largest."""
    flat = weights.flatten(1)
    largest = flat.abs().amax(1, keepdim=True).clamp(min=1e-12)
    return ((flat - flat.mean(1, keepdim=True)) / largest).view(weights.shape)


def _spread(values: Tensor, space: torch.Size) -> Tensor:
    """The values over the pixels they stand for."""
    return F.interpolate(values[:, None], tuple(space))[:, 0]


def _coloured(images: Tensor, maps: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Images with the place framed, and maps over dimmed images: [batch, 3, *space], enlarged."""
    scale = -(-_SIDE // min(images.shape[-2:]))
    images, maps, places = (_enlarged(part, scale)[:, None] for part in (images, maps, places))
    colours = torch.tensor((_WARM, _COLD, _MARK)).to(images).view(3, 1, 3, *[1] * (images.dim() - 2))
    colour, share = torch.where(maps > 0, colours[0], colours[1]), maps.abs()
    over = 0.5 * images * (1 - share) + colour * share
    frame = (places > 0) & (_shrunk(places) == 0)
    return torch.where(frame, colours[2], images), torch.where(frame, colours[2], over)


def _enlarged(pictures: Tensor, scale: int) -> Tensor:
    return pictures.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def _shrunk(places: Tensor) -> Tensor:
    """Without a rim of two pixels."""
    flat = F.pad(places.flatten(0, -3)[:, None], (2, 2, 2, 2))
    return (1 - F.max_pool2d(1 - flat, 5, 1)).view(places.shape)


def _pairs(images: Tensor, maps: Tensor) -> Tensor:
    return make_grid(torch.stack((images, maps), 1).flatten(0, 1), columns=2 * _PAIRS, scale=1)


def _film(films: Tensor, maps: Tensor) -> Tensor:
    both = torch.stack((films[:_FILMS], maps[:_FILMS]), 1).flatten(0, 1).transpose(1, 2)
    return make_grid(both.flatten(0, 1), columns=both.shape[1], scale=1)
