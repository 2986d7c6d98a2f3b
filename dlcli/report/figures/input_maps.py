"""Images of network inputs and of maps over them, enlarged to a readable size."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dlcli.report.figures.colormap import HEAT, SIGNED, apply_colormap

_SIDE = 96  # pixels of the shorter side of an enlarged image, at most
_GREY = 0.82
_LONG, _STRIP = 480, 24  # pixels of a sequence: most along time, least across channels


def input_images(x: Float[Tensor, "batch channel *places"]) -> Float[Tensor, "batch h w 3"]:
    """Render inputs in color or gray, from black for the smallest value of the batch to white for the largest.

    Three channels of an image are rendered as RGB, other numbers of channels as their mean. Frames of a video are side
    by side, and channels of a sequence are rows.
    """
    flat = flatten_frames(x) if x.dim() > 3 else x[:, None]
    low, high = min(0.0, float(flat.min())), max(1.0, float(flat.max()))
    shown = (flat - low) / (high - low)
    grey = shown if shown.shape[1] == 3 else shown.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return enlarge(grey.movedim(1, -1), x.shape[2:])


def heat_maps(maps: Float[Tensor, "batch *places"]) -> Float[Tensor, "batch h w 3"]:
    """Render non-negative maps, each normalized by its maximum: black is zero."""
    return enlarge(apply_colormap(normalize_maps(maps), HEAT), maps.shape[1:])


def signed_maps(maps: Float[Tensor, "batch *places"]) -> Float[Tensor, "batch h w 3"]:
    """Render signed maps, each normalized by its maximum: white is zero, red positive, blue negative."""
    return add_border(enlarge(apply_colormap(normalize_maps(maps) / 2 + 0.5, SIGNED), maps.shape[1:]))


def overlay_maps(maps: Float[Tensor, "batch *places"], x: Float[Tensor, "batch channel *axes"]) -> Tensor:
    """Overlay heat maps on the inputs, with an opacity that increases with the map."""
    below, cover = input_images(x), normalize_maps(maps)[..., None]
    above = heat_maps(maps)
    cover = enlarge(cover.expand(*cover.shape[:-1], 3), maps.shape[1:])
    if x.dim() == 3 and below.shape != above.shape:
        above, cover = above[:, :1].expand_as(below), cover[:, :1].expand_as(below)
    return torch.lerp(below * 0.6, above, 0.85 * cover)


def add_border(pictures: Float[Tensor, "batch h w 3"]) -> Float[Tensor, "batch h w 3"]:
    """Add a gray border, since white is a color of the map."""
    pictures = pictures.clone()
    pictures[:, [0, -1]] = pictures[:, :, [0, -1]] = _GREY
    return pictures


def normalize_maps(maps: Float[Tensor, "batch *places"]) -> Float[Tensor, "batch h w"]:
    """Normalize maps to [-1, 1] by the 0.99 quantile of their absolute values."""
    flat = flatten_frames(maps[:, None])[:, 0] if maps.dim() > 2 else maps[:, None]
    largest = flat.abs().flatten(1).quantile(0.99, dim=1).clamp(min=1e-30)
    return (flat / largest[:, None, None]).clamp(-1, 1)


def flatten_frames(x: Float[Tensor, "batch channel *places"]) -> Float[Tensor, "batch channel h w"]:
    """Place the frames of a video side by side; images are returned unchanged."""
    return x if x.dim() == 4 else x.transpose(2, 3).flatten(3)


def enlarge(image: Float[Tensor, "batch h w 3"], places: Sequence[int]) -> Float[Tensor, "batch larger wider 3"]:
    """Enlarge images by integer factors. Long sequences are averaged, and frames are separated by lines.

    Args:
        image: images, with the frames of a video side by side.
        places: shape of the input: (time,), (height, width) or (time, height, width).
    """
    if len(places) == 1:
        return _strip(image)
    factor = max(1, _SIDE // min(image.shape[1:3]))
    large = image.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    if len(places) == 3:
        large[:, :, torch.arange(1, places[0]) * places[2] * factor] = _GREY
    return large


def _strip(image: Float[Tensor, "batch h w 3"]) -> Float[Tensor, "batch larger wider 3"]:
    height, width = image.shape[1:3]
    if width > _LONG:
        image = F.adaptive_avg_pool2d(image.movedim(-1, 1), (height, _LONG)).movedim(1, -1)
    tall, wide = max(1, _STRIP // height), max(1, _LONG // width)
    return image.repeat_interleave(tall, 1).repeat_interleave(wide, 2)
