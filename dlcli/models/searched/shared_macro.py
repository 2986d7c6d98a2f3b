"""All convolutional networks of the macro space, sharing their weights."""

from collections.abc import Callable
from functools import partial

from torch import nn

from dlcli.core.space import Space
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import current_batch_norm
from dlcli.nn.supernet.supernet import Supernet, model_overrides
from dlcli.nn.supernet.macro_network import MacroNetwork, MacroModules, macro_module_names
from dlcli.nn.supernet.macro_space import MacroSpace


class SharedMacro(Supernet):
    """Six branches a layer, each with weights of its own; a member runs through one of them.

    Batch norm takes the batch's own statistics, also when scoring: running averages would be of no member.

    Paper: Pham et al. 2018, arXiv:1802.03268, sections 2.2 and 2.3. Differs: see `MacroCNN`, which given the weights
    of its member computes the same.

    Args:
        spec, layers, channels, reductions, dropout: see `MacroCNN`; the stem is as wide as a layer.
        controller: makes the part that draws architectures from the space.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is no image, or cannot be halved so often.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        controller: Callable[[Space], nn.Module],
        layers: int,
        channels: int,
        reductions: int,
        dropout: float,
    ) -> None:
        space = MacroSpace(layers)
        parts = MacroModules(
            spec,
            layers=layers,
            channels=channels,
            stem=channels,
            reductions=reductions,
            dropout=dropout,
            norm=current_batch_norm,
            model_name="SharedMacro",
        )
        super().__init__(
            space,
            controller,
            part=parts,
            names=macro_module_names(layers, reductions),
            member=partial(MacroNetwork, space, reductions=reductions),
            alone=model_overrides(
                "macro_cnn", layers=layers, channels=channels, stem=channels, reductions=reductions, dropout=dropout
            ),
        )
