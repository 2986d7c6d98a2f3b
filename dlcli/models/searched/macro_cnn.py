"""A convolutional network of the macro space."""

from collections.abc import Sequence

from dlcli.core.space import check
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import running_batch_norm
from dlcli.nn.supernet.macro_network import MacroNetwork, MacroModules
from dlcli.nn.supernet.macro_space import MacroSpace


class MacroCNN(MacroNetwork):
    """A chain of layers, each with an operation of its own and skips from earlier layers.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.3. Differs: skips are summed and normalised, as in their
    published search, where the paper concatenates them; the width stays the same at a reduction, so that the weights
    of the shared network fit.

    Args:
        spec: one image (channel, height, width); target of one position.
        architecture: a member of `MacroSpace(layers)`.
        layers: how many.
        channels: of every layer, at least 2.
        stem: channels of the first convolution, which every network has.
        reductions: how often height and width are halved, at equal distances.
        dropout: probability in [0, 1), before the scores.

    Raises:
        UsageError: a number is out of range, or the architecture is not a member.
        Mismatch: the input is no image, or cannot be halved so often.
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
        super().__init__(space, check(space, architecture), parts, reductions=reductions)
        self.space = space
