"""Pictures of what class capsules know: their decoder's images."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from dlcli.nn.capsule.layers import capsule_lengths
from dlcli.nn.image_grid import make_grid

Reconstruct = Callable[[Tensor, Tensor], Tensor]
"""From poses [batch, class, dim] and a mask [batch, class] to images [batch, channel, height, width]."""

_WIDE = 900  # pixels that a picture has about, across
_SWEPT, _FAR, _STEPS = 3, 0.25, 11  # images, how far each way from their poses, and how many steps on the way
_COLOURS = ((1.0, 0.35, 0.2), (0.2, 0.75, 1.0), (0.6, 1.0, 0.3))  # of things that lie on one another


def reconstructions(
    reconstruct: Reconstruct,
    x: Float[Tensor, "batch channel height width"],
    poses: Float[Tensor, "batch class dim"],
    target: Shaped[Tensor, "batch *class"],
) -> Float[Tensor, "high wide 3"]:
    """Three rows: images, images from the capsules of their true classes, images from as many longest capsules.

    Where a grey image has several classes each is decoded by itself and has a colour of its own, that of the most
    likely first.
    """
    long = capsule_lengths(poses)
    truth = F.one_hot(target, long.shape[1]).bool() if target.dim() == 1 else target > 0
    many = truth.sum(1, keepdim=True)
    guess = long.argsort(descending=True).argsort() < many
    rows = [_in_colour(x)]
    for there in (truth, guess):
        order = long.masked_fill(~there, -1).argsort(descending=True)[:, : max(int(many.max()), 1)]
        rows.append(_overlaid(reconstruct, poses, order, many))
    return make_grid(torch.cat(rows), columns=len(x), scale=_scale(x, len(x)))


def _overlaid(reconstruct: Reconstruct, poses: Tensor, order: Tensor, many: Tensor) -> Tensor:
    """The first `many` classes of each row's order: as they are where there is one a row, else in colours, added up."""
    count, classes = order.shape[1], poses.shape[1]
    images = [reconstruct(poses, F.one_hot(order[:, place], classes).to(poses)) for place in range(count)]
    if count == 1 or images[0].shape[1] != 1:
        return _in_colour(torch.stack(images).amax(0))
    there = [(many > place)[..., None, None] for place in range(count)]
    inks = [poses.new_tensor(_COLOURS[place % len(_COLOURS)]).view(3, 1, 1) for place in range(count)]
    return sum((image * ink * on for image, ink, on in zip(images, inks, there, strict=True)), images[0].new_zeros(()))


def pose_dimensions(reconstruct: Reconstruct, poses: Float[Tensor, "batch class dim"]) -> Float[Tensor, "high wide 3"]:
    """Of the first three images the longest capsule: a row for each dimension of its pose, moved from -.25 to .25.

    Sabour, Frosst & Hinton 2017, arXiv:1710.09829, figure 4.
    """
    poses = poses[:_SWEPT]
    dim, mask = poses.shape[2], F.one_hot(capsule_lengths(poses).argmax(1), poses.shape[1]).to(poses)
    steps = torch.linspace(-_FAR, _FAR, _STEPS).to(poses)
    moves = torch.einsum("s,de->dse", steps, torch.eye(dim).to(poses)).flatten(0, 1)
    swept = [
        _in_colour(reconstruct(pose + moves[:, None], one.expand(len(moves), -1)))
        for pose, one in zip(poses, mask, strict=True)
    ]
    scale = _scale(swept[0], _STEPS * len(poses))
    return torch.cat([make_grid(images, columns=_STEPS, scale=scale) for images in swept], 1)


def _in_colour(images: Tensor) -> Tensor:
    return images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)


def _scale(images: Tensor, columns: int) -> int:
    return max(1, _WIDE // (columns * images.shape[3]))
