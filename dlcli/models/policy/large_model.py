"""Network of the deep genetic algorithm."""

from collections.abc import Sequence

from dlcli.core.spec import Spec
from dlcli.nn.conv.nature_cnn import NatureCNN, same_padding


class LargeModel(NatureCNN):
    """Nature DQN with SAME padding, as used by the deep genetic algorithm (`LargeModel` in its published code).

    Frames of 84 pixels give feature maps of 21, 11 and 11 pixels and 7,744 inputs of the dense layer of 512 units:
        4,052,658
    parameters for 18 actions.

    Paper: Such et al. 2017, arXiv:1712.06567, section 4.1 and its published code.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        channels: output channels of the three convolutions.
        hidden: units of the dense layer.

    Raises:
        UsageError: a value is smaller than 1, or the number of channels is not three.
        Mismatch: the input is not an image, or the target has several positions.
    """

    def __init__(self, spec: Spec, *, channels: Sequence[int], hidden: int) -> None:
        super().__init__(spec, same_padding, channels=channels, hidden=hidden, model_name="LargeModel")
