"""Standalone convolutional network of the micro space."""

from collections.abc import Sequence

from dlcli.core.space import check_architecture
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import running_batch_norm
from dlcli.nn.supernet.cell_stack import CellStack
from dlcli.nn.supernet.micro_network import MicroModules, MicroNetwork
from dlcli.nn.supernet.micro_space import MicroSpace


class MicroCNN(MicroNetwork):
    """Stack of normal cells separated by reduction cells; all cells of a kind share one architecture.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.4. Differs: a reduction cell halves its two inputs by
        factorized
    reduction and then keeps the size, where the paper's operations have stride 2; every input of a cell has its own 1x1
    convolution; no auxiliary head and no drop path.

    Args:
        spec: one image (channel, height, width); target of one position.
        architecture: a member of `MicroSpace(nodes)`.
        nodes: number of nodes per cell.
        cells: number of normal cells.
        channels: width of a cell, at least 2; doubled by each reduction.
        stem: output channels of the first convolution, which is not searched.
        reductions: number of reduction cells, at least one and fewer than `cells`.
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
        nodes: int,
        cells: int,
        channels: int,
        stem: int,
        reductions: int,
        dropout: float,
    ) -> None:
        space = MicroSpace(nodes)
        chain = CellStack(cells=cells, channels=channels, stem=stem, reductions=reductions)
        parts = MicroModules(spec, chain, dropout=dropout, norm=running_batch_norm, model_name="MicroCNN")
        super().__init__(space, check_architecture(space, architecture), parts, chain=chain)
        self.space = space
