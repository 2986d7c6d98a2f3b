"""Su's capsule network for images of any size."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.capsule.layers import SharedCapsuleLayer, channels_to_capsules, check_class_target, length_logits
from dlcli.nn.capsule.routing import Routing
from dlcli.nn.checks import at_least
from dlcli.nn.conv.su_trunk import SuTrunk


class SuCapsules(nn.Module):
    """Convolutional trunk whose channels at each position are one capsule, and class capsules with shared weights.

    All positions share the matrices, so that test images may be larger than training images.

    Source: Su Jianlin's Keras code of the composite-digit experiment: 279,488 parameters on MNIST. Differs: nothing.

    Args:
        spec: one Real input (channel, height, width), lengths may be None; target Classes or Labels.
        channels: output channels of the first and of the last two convolutions.
        pad: zero padding of each convolution.
        pose: dimensions of a class capsule.
        routing: from positions to classes.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image or too small, or the target is not of classes.
    """

    def __init__(self, spec: Spec, *, channels: Sequence[int], pad: int, pose: int, routing: Routing) -> None:
        super().__init__()
        at_least(1, pose=pose)
        check_class_target(spec, "SuCapsules")
        self.trunk = SuTrunk(spec, channels=channels, pad=pad, model_name="SuCapsules")
        self.classes = SharedCapsuleLayer(self.trunk.width, spec.target.width, pose, routing)

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class"]:
        return length_logits(self.capsules(x))

    def capsules(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch class pose"]:
        """Class capsules; their lengths lie in [0, 1)."""
        return self.classes(channels_to_capsules(self.trunk(x), self.trunk.width))
