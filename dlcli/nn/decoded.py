"""Pictures of what class capsules know: their decoder's images."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from dlcli.nn.capsules import lengths
from dlcli.nn.mosaic import tile

Reconstruct = Callable[[Tensor, Tensor], Tensor]
"""From poses [batch, class, dim] and a mask [batch, class] to images [batch, channel, height, width]."""

_WIDE = 900  # pixels that a picture has about, across
_FAR, _STEPS = 0.25, 11  # each way from the pose, and how many images on the way
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
    long = lengths(poses)
    truth = F.one_hot(target, long.shape[1]).bool() if target.dim() == 1 else target > 0
    many = truth.sum(1, keepdim=True)
    guess = long.argsort(descending=True).argsort() < many
    rows = [_in_colour(x)]
    for there in (truth, guess):
        order = long.masked_fill(~there, -1).argsort(descending=True)[:, : max(int(many.max()), 1)]
        rows.append(_overlaid(reconstruct, poses, order, many))
    return tile(torch.cat(rows), columns=len(x), scale=_scale(x, len(x)))


def _overlaid(reconstruct: Reconstruct, poses: Tensor, order: Tensor, many: Tensor) -> Tensor:
    """The first `many` classes of each row's order: as they are where there is one a row, else in colours, added up."""
    count, classes = order.shape[1], poses.shape[1]
    images = [reconstruct(poses, F.one_hot(order[:, place], classes).to(poses)) for place in range(count)]
    if count == 1 or images[0].shape[1] != 1:
        return _in_colour(torch.stack(images).amax(0))
    there = [(many > place)[..., None, None] for place in range(count)]
    inks = [poses.new_tensor(_COLOURS[place % len(_COLOURS)]).view(3, 1, 1) for place in range(count)]
    return sum((image * ink * on for image, ink, on in zip(images, inks, there, strict=True)), images[0].new_zeros(()))


def dimensions(reconstruct: Reconstruct, poses: Float[Tensor, "batch class dim"]) -> Float[Tensor, "high wide 3"]:
    """The longest capsule of the first image, a row for each dimension of its pose, which goes from -.25 to .25 around.

    Sabour, Frosst & Hinton 2017, arXiv:1710.09829, figure 4.
    """
    dim = poses.shape[2]
    steps = torch.linspace(-_FAR, _FAR, _STEPS).to(poses)
    moved = torch.einsum("s,de->dse", steps, torch.eye(dim).to(poses)).flatten(0, 1)
    mask = F.one_hot(lengths(poses[:1]).argmax(1), poses.shape[1]).to(poses).expand(len(moved), -1)
    images = reconstruct(poses[:1] + moved[:, None], mask)
    return tile(_in_colour(images), columns=_STEPS, scale=_scale(images, _STEPS))


def _in_colour(images: Tensor) -> Tensor:
    return images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)


def _scale(images: Tensor, columns: int) -> int:
    return max(1, _WIDE // (columns * images.shape[3]))
