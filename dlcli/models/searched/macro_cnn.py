"""Standalone convolutional network of the macro space."""

from collections.abc import Sequence

from dlcli.core.space import check_architecture
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import running_batch_norm
from dlcli.nn.supernet.macro_network import MacroModules, MacroNetwork
from dlcli.nn.supernet.macro_space import MacroSpace


class MacroCNN(MacroNetwork):
    """Chain of layers, each with a searched operation and skip connections from earlier layers.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.3. Differs: skip connections are added and normalized, as in
        the
    published search code; the paper concatenates them. The width is constant over reductions, so that the weights of
    the supernet fit.

    Args:
        spec: one image (channel, height, width); target of one position.
        architecture: a member of `MacroSpace(layers)`.
        layers: number of layers.
        channels: width of every layer, at least 2.
        stem: output channels of the first convolution, which is not searched.
        reductions: number of halvings of height and width, at equal distances.
        dropout: probability in [0, 1), before the output layer.

    Raises:
        UsageError: a hyper-parameter is out of range, or the architecture is not in the space.
        Mismatch: the input is not an image, or too small for the reductions.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        architecture: Sequence[int],
        layers: int,
        channels: int,
        stem: int,
        reductions: int,
        dropout: float,
    ) -> None:
        space = MacroSpace(layers)
        parts = MacroModules(
            spec,
            layers=layers,
            channels=channels,
            stem=stem,
            reductions=reductions,
            dropout=dropout,
            norm=running_batch_norm,
            model_name="MacroCNN",
        )
        super().__init__(space, check_architecture(space, architecture), parts, reductions=reductions)
        self.space = space
