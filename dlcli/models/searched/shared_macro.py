"""Supernet of the macro space."""

from collections.abc import Callable
from functools import partial

from torch import nn

from dlcli.core.space import Space
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import current_batch_norm
from dlcli.nn.supernet.macro_network import MacroModules, MacroNetwork, macro_module_names
from dlcli.nn.supernet.macro_space import MacroSpace
from dlcli.nn.supernet.supernet import Supernet, model_overrides


class SharedMacro(Supernet):
    """Supernet of the macro space: six operations per layer, each with its own weights.

    Batch norm uses the statistics of the batch, also in evaluation: running averages would mix child networks.

    Paper: Pham et al. 2018, arXiv:1802.03268, sections 2.2 and 2.3. Differs: see `MacroCNN`; with the weights of a
        child network
    it computes the same function.

    Args:
        spec, layers, channels, reductions, dropout: see `MacroCNN`; the stem has `channels` channels.
        controller: factory of the controller, called with the space.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image, or too small for the reductions.
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
