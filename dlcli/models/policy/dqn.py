"""Deep Q-network."""

from collections.abc import Sequence

from dlcli.core.spec import Spec
from dlcli.nn.conv.nature_cnn import NatureCNN, valid_padding


class DQN(NatureCNN):
    """Nature DQN: one value per action from four stacked frames of 84 pixels (feature maps of 20, 9 and 7 pixels).

    1,693,362 parameters for 18 actions.

    Paper: Mnih et al. 2015, "Human-level control through deep reinforcement learning", Nature 518, Methods.
    Differs: PyTorch's default initialization.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        channels: output channels of the three convolutions.
        hidden: units of the dense layer.

    Raises:
        UsageError: a value is smaller than 1, or the number of channels is not three.
        Mismatch: the input is not an image or smaller than 36 pixels, or the target has several positions.
    """

    def __init__(self, spec: Spec, *, channels: Sequence[int], hidden: int) -> None:
        super().__init__(spec, valid_padding, channels=channels, hidden=hidden, model_name="DQN")
