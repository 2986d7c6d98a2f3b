"""The network of the deep genetic algorithm."""

from collections.abc import Sequence

from dlcli.core.spec import Spec
from dlcli.nn.conv.nature_cnn import NatureCNN, same_padding


class LargeModel(NatureCNN):
    """Deep Q-network whose convolutions are padded, which makes it more than twice as large.

    84 pixels become 21, 11 and 11, and 7,744 values go into the layer of 512 units: 4,052,658 parameters for 18
    actions. Of the zeros that a length needs the odd one comes last (SAME in TensorFlow).

    Paper: Such et al. 2017, arXiv:1712.06567, section 4.1 and its published code.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        channels: of the three convolutions.
        hidden: units before the answer.

    Raises:
        UsageError: a number is below 1, or there are not three convolutions.
        Mismatch: the input is no image, or the target has several positions.
    """

    def __init__(self, spec: Spec, *, channels: Sequence[int], hidden: int) -> None:
        super().__init__(spec, same_padding, channels=channels, hidden=hidden, model_name="LargeModel")
