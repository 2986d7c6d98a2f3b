"""Su's capsule network, which reads images of any size."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.capsule.layers import SharedCapsuleLayer, channels_to_capsules, check_class_target, length_logits
from dlcli.nn.checks import at_least
from dlcli.nn.capsule.routing import Routing
from dlcli.nn.conv.su_trunk import SuTrunk


class SuCapsules(nn.Module):
    """Convolutions, whose channels at each position are one capsule, and a capsule for each class.

    All positions share the matrices, so that there may be more of them in a test than in training.

    Su Jianlin's Keras code of the composite experiment: 279,488 parameters on MNIST. Differs: nothing.

    Args:
        spec: one Real input (channel, height, width), lengths may be None; target Classes or Labels.
        channels: of the first two convolutions, and of the last two.
        pad: zeros around the image of each convolution.
        pose: dimensions of a class capsule.
        routing: from positions to classes.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is no image, or too small; the target is no class.
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
        """The class capsules; their lengths are in [0, 1)."""
        return self.classes(channels_to_capsules(self.trunk(x), self.trunk.width))
