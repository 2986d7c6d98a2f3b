"""CapsNet: capsule network with dynamic routing, and images of its reconstructions."""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.core.learner import Image
from dlcli.core.spec import Spec
from dlcli.core.task import Batch
from dlcli.nn.capsule.layers import (
    CapsuleDecoder,
    CapsuleLayer,
    capsule_lengths,
    channels_to_capsules,
    check_class_target,
    length_logits,
)
from dlcli.nn.capsule.routing import Routing, squash
from dlcli.nn.checks import at_least, each_at_least
from dlcli.nn.image_grid import make_grid
from dlcli.nn.shapes import image_shape

_SPREAD, _BIAS = 0.1, 0.1  # initialization of the authors' code
Reconstruct = Callable[[Tensor, Tensor], Tensor]
"""(poses [batch, class, dim], mask [batch, class]) -> images [batch, channel, height, width]."""

_WIDTH = 900  # approximate width of an image in pixels
_SWEPT, _RANGE, _STEPS = 3, 0.25, 11  # number of images, range and number of values of a pose dimension
_COLORS = ((1.0, 0.35, 0.2), (0.2, 0.75, 1.0), (0.6, 1.0, 0.3))  # of overlaid reconstructions


class CapsNet(nn.Module):
    """Convolution, primary capsules at every position, and class capsules whose length is the probability of the class.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 4; 8,215,728 parameters on MNIST, including the
        decoder.
    Differs: the bias inside the routing is that of the authors' code and not part of the paper.

    Args:
        spec: one Real input (channel, height, width); target Classes or Labels.
        channels: output channels of the convolution.
        kernel_size: of the convolution, without padding.
        types: number of primary capsule types, each with one capsule per position.
        dim: dimensions of a primary capsule.
        primary_kernel: kernel size of the primary capsules.
        stride: of the primary capsules, in pixels.
        pose: dimensions of a class capsule.
        routing: from primary to class capsules.
        decoder: units of each hidden layer of the decoder; empty for no decoder and no reconstruction.

    Raises:
        UsageError: a hyper-parameter is smaller than 1.
        Mismatch: the input is not an image or smaller than the kernels, or the target is not of classes.
    """

    reconstruct: CapsuleDecoder

    def __init__(
        self,
        spec: Spec,
        *,
        channels: int,
        kernel_size: int,
        types: int,
        dim: int,
        primary_kernel: int,
        stride: int,
        pose: int,
        routing: Routing,
        decoder: Sequence[int],
    ) -> None:
        super().__init__()
        at_least(1, channels=channels, kernel_size=kernel_size, types=types, dim=dim)
        at_least(1, primary_kernel=primary_kernel, stride=stride, pose=pose)
        each_at_least(1, "decoder", decoder)
        check_class_target(spec, "CapsNet")
        shape = image_shape(spec, "CapsNet")
        needed = kernel_size + primary_kernel - 1
        if min(shape[1:]) < needed:
            raise Mismatch(
                "mismatch",
                subject=f"CapsNet with kernels of {kernel_size} and {primary_kernel} pixels",
                requirement=f"an image of at least {needed} pixels a side",
                got=spec,
                hint="for small images: model=capsnet_small",
            )
        grid = [(length - needed) // stride + 1 for length in shape[1:]]
        classes, self.dim = spec.target.width, dim
        self.convolution = nn.Conv2d(shape[0], channels, kernel_size)
        self.primary = nn.Conv2d(channels, types * dim, primary_kernel, stride)
        inputs = types * grid[0] * grid[1]
        self.classes = CapsuleLayer(inputs, dim, classes, pose, routing, spread=_SPREAD, bias=_BIAS)
        self._half = routing.half
        if decoder:
            self.reconstruct = CapsuleDecoder(classes * pose, decoder, shape)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return length_logits(self.capsules(x))

    def capsules(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class pose"]:
        """Class capsules; their lengths lie in [0, 1)."""
        u = channels_to_capsules(self.primary(torch.relu(self.convolution(x))), self.dim)
        return self.classes(squash(u, self._half))

    def depict(self, batch: Batch) -> Mapping[str, Image]:
        """Reconstructions from true and predicted classes, and the effect of each pose dimension of one capsule."""
        if not hasattr(self, "reconstruct"):
            return {}
        (x,) = batch.inputs
        poses = self.capsules(x)
        return {
            "reconstructions": Image(reconstructions(self.reconstruct, x, poses, batch.target)),
            "capsule_dimensions": Image(pose_dimensions(self.reconstruct, poses)),
        }


def reconstructions(
    reconstruct: Reconstruct,
    x: Float[Tensor, "batch channel height width"],
    poses: Float[Tensor, "batch class dim"],
    target: Shaped[Tensor, "batch *class"],
) -> Float[Tensor, "high wide 3"]:
    """Grid of three rows: inputs, reconstructions of the true classes, reconstructions of as many longest capsules.

    For gray images with several classes each class is decoded separately and overlaid in its own color, in order of
    probability.
    """
    lengths = capsule_lengths(poses)
    truth = F.one_hot(target, lengths.shape[1]).bool() if target.dim() == 1 else target > 0
    counts = truth.sum(1, keepdim=True)
    predicted = lengths.argsort(descending=True).argsort() < counts
    rows = [_to_rgb(x)]
    for selected in (truth, predicted):
        order = lengths.masked_fill(~selected, -1).argsort(descending=True)[:, : max(int(counts.max()), 1)]
        rows.append(_overlaid(reconstruct, poses, order, counts))
    return make_grid(torch.cat(rows), columns=len(x), scale=_scale(x, len(x)))


def _overlaid(reconstruct: Reconstruct, poses: Tensor, order: Tensor, counts: Tensor) -> Tensor:
    """First `counts` classes of each row of `order`: unchanged for one class per row, otherwise overlaid in colors."""
    count, classes = order.shape[1], poses.shape[1]
    images = [reconstruct(poses, F.one_hot(order[:, index], classes).to(poses)) for index in range(count)]
    if count == 1 or images[0].shape[1] != 1:
        return _to_rgb(torch.stack(images).amax(0))
    visible = [(counts > index)[..., None, None] for index in range(count)]
    inks = [poses.new_tensor(_COLORS[index % len(_COLORS)]).view(3, 1, 1) for index in range(count)]
    return sum(
        (image * ink * shown for image, ink, shown in zip(images, inks, visible, strict=True)), images[0].new_zeros(())
    )


def pose_dimensions(reconstruct: Reconstruct, poses: Float[Tensor, "batch class dim"]) -> Float[Tensor, "high wide 3"]:
    """Longest capsule of the first three images: one row per pose dimension, which varies from -0.25 to 0.25.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, figure 4.
    """
    poses = poses[:_SWEPT]
    dim, mask = poses.shape[2], F.one_hot(capsule_lengths(poses).argmax(1), poses.shape[1]).to(poses)
    steps = torch.linspace(-_RANGE, _RANGE, _STEPS).to(poses)
    moves = torch.einsum("s,de->dse", steps, torch.eye(dim).to(poses)).flatten(0, 1)
    swept = [
        _to_rgb(reconstruct(pose + moves[:, None], selected.expand(len(moves), -1)))
        for pose, selected in zip(poses, mask, strict=True)
    ]
    scale = _scale(swept[0], _STEPS * len(poses))
    return torch.cat([make_grid(images, columns=_STEPS, scale=scale) for images in swept], 1)


def _to_rgb(images: Tensor) -> Tensor:
    return images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)


def _scale(images: Tensor, columns: int) -> int:
    return max(1, _WIDTH // (columns * images.shape[3]))
