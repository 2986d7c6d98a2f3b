"""The deep Q-network."""

from collections.abc import Sequence

from dlcli.core.spec import Spec
from dlcli.nn.conv.nature_cnn import NatureCNN, valid_padding


class DQN(NatureCNN):
    """Deep Q-network: one value an action from four screens; 1,693,362 parameters for 18 actions.

    84 pixels become 20, 9 and 7.

    Paper: Mnih et al. 2015, "Human-level control through deep reinforcement learning", Nature 518, Methods.
    Differs: initial weights are PyTorch's.

    Args:
        spec: one Real input (channel, height, width); target of one position.
        channels: of the three convolutions.
        hidden: units before the answer.

    Raises:
        UsageError: a number is below 1, or there are not three convolutions.
        Mismatch: the input is no image, or one below 36 pixels, or the target has several positions.
    """

    def __init__(self, spec: Spec, *, channels: Sequence[int], hidden: int) -> None:
        super().__init__(spec, valid_padding, channels=channels, hidden=hidden, model_name="DQN")
