"""Supernet of the micro space."""

from collections.abc import Callable
from functools import partial

from torch import nn

from dlcli.core.space import Space
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import current_batch_norm
from dlcli.nn.supernet.cell_stack import STEM_MULTIPLIER, CellStack
from dlcli.nn.supernet.micro_network import MicroModules, MicroNetwork, micro_module_names
from dlcli.nn.supernet.micro_space import MicroSpace
from dlcli.nn.supernet.supernet import Supernet, model_overrides


class SharedMicro(Supernet):
    """Supernet of the micro space: weights and batch-norm parameters per (cell, node, side, state, operation).

    Batch norm uses the statistics of the batch, also in evaluation: running averages would mix child networks.

    Paper: Pham et al. 2018, arXiv:1802.03268, sections 2.2 and 2.4. Differs: see `MicroCNN`; with the weights of a
        child network
    it computes the same function.

    Args:
        spec, nodes, cells, channels, reductions, dropout: see `MicroCNN`; the stem has three times `channels`.
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
        nodes: int,
        cells: int,
        channels: int,
        reductions: int,
        dropout: float,
    ) -> None:
        space, chain = (
            MicroSpace(nodes),
            CellStack(cells=cells, channels=channels, stem=STEM_MULTIPLIER * channels, reductions=reductions),
        )
        super().__init__(
            space,
            controller,
            part=MicroModules(spec, chain, dropout=dropout, norm=current_batch_norm, model_name="SharedMicro"),
            names=micro_module_names(nodes, chain),
            member=partial(MicroNetwork, space, chain=chain),
            alone=model_overrides(
                "micro_cnn",
                nodes=nodes,
                cells=cells,
                channels=channels,
                stem=STEM_MULTIPLIER * channels,
                reductions=reductions,
                dropout=dropout,
            ),
        )
