"""The capsule network of Sabour, Frosst and Hinton."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.errors import Mismatch
from dlcli.core.learner import Image
from dlcli.core.spec import Spec
from dlcli.core.task import Batch
from dlcli.models.capsule import capsnet
from dlcli.nn.capsule.layers import CapsuleLayer, CapsuleDecoder, channels_to_capsules, check_class_target, length_logits
from dlcli.nn.checks import at_least
from dlcli.nn.shapes import image_shape
from dlcli.nn.capsule.routing import Routing, squash

_SPREAD, _BIAS = 0.1, 0.1  # as in the authors' code


class CapsNet(nn.Module):
    """A convolution, capsules at every position, and a capsule for each class whose length says that it is there.

    Paper: Sabour, Frosst & Hinton 2017, arXiv:1710.09829, section 4; 8,215,728 parameters on MNIST, the decoder
    included. Differs: the bias inside the routing is that of the authors' code, the paper has none.

    Args:
        spec: one Real input (channel, height, width); target Classes or Labels.
        channels: of the convolution.
        kernel_size: of it; it stays inside of the image.
        types: of primary capsules, each with one capsule at every position.
        dim: dimensions of a primary capsule.
        primary_kernel: pixels a side that a primary capsule reads.
        stride: pixels between two of them.
        pose: dimensions of a class capsule.
        routing: from primary to class capsules.
        decoder: units of each layer before the pixels; without any there is nothing to reconstruct with.

    Raises:
        UsageError: a number is below 1.
        Mismatch: the input is no image, or too small for the kernels; the target is no class.
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
        at_least(1, **{f"decoder.{place}": width for place, width in enumerate(decoder)})
        check_class_target(spec, "CapsNet")
        shape = image_shape(spec, "CapsNet")
        needed = kernel_size + primary_kernel - 1
        if min(shape[1:]) < needed:
            raise Mismatch(
                f"CapsNet with kernels of {kernel_size} and {primary_kernel} reads {needed} pixels a side or "
                f"more, not {spec.describe()}\nfor small images: model=capsnet_small"
            )
        places = [(length - needed) // stride + 1 for length in shape[1:]]
        classes, self.dim = spec.target.width, dim
        self.convolution = nn.Conv2d(shape[0], channels, kernel_size)
        self.primary = nn.Conv2d(channels, types * dim, primary_kernel, stride)
        inputs = types * places[0] * places[1]
        self.classes = CapsuleLayer(inputs, dim, classes, pose, routing, spread=_SPREAD, bias=_BIAS)
        self._half = routing.half
        if decoder:
            self.reconstruct = CapsuleDecoder(classes * pose, decoder, shape)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return length_logits(self.capsules(x))

    def capsules(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class pose"]:
        """The class capsules; their lengths are in [0, 1)."""
        u = channels_to_capsules(self.primary(torch.relu(self.convolution(x))), self.dim)
        return self.classes(squash(u, self._half))

    def depict(self, batch: Batch) -> Mapping[str, Image]:
        """Reconstructions by the truth and by the longest capsules, and what each dimension of one capsule does."""
        if not hasattr(self, "reconstruct"):
            return {}
        (x,) = batch.inputs
        poses = self.capsules(x)
        return {
            "reconstructions": Image(capsnet.reconstructions(self.reconstruct, x, poses, batch.target)),
            "capsule_dimensions": Image(capsnet.dimensions(self.reconstruct, poses)),
        }
