"""All convolutional networks of the micro space, sharing their weights."""

from collections.abc import Callable
from functools import partial

from torch import nn

from dlcli.core.space import Space
from dlcli.core.spec import Spec
from dlcli.nn.supernet.cell_stack import STEM_MULTIPLIER, CellStack
from dlcli.nn.conv.blocks import current_batch_norm
from dlcli.nn.supernet.supernet import Supernet, model_overrides
from dlcli.nn.supernet.micro_network import MicroNetwork, MicroModules, micro_module_names
from dlcli.nn.supernet.micro_space import MicroSpace


class SharedMicro(Supernet):
    """Weights for every (cell, node, side, state, operation), scale and offset of batch norm among them.

    Batch norm takes the batch's own statistics, also when scoring: running averages would be of no member.

    Paper: Pham et al. 2018, arXiv:1802.03268, sections 2.2 and 2.4. Differs: see `MicroCNN`, which given the weights
    of its member computes the same.

    Args:
        spec, nodes, cells, channels, reductions, dropout: see `MicroCNN`; the stem has three times `channels`.
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
