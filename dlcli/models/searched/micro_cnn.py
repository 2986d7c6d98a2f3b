"""A convolutional network of the micro space."""

from collections.abc import Sequence

from dlcli.core.space import check
from dlcli.core.spec import Spec
from dlcli.nn.supernet.cell_stack import CellStack
from dlcli.nn.conv.blocks import running_batch_norm
from dlcli.nn.supernet.micro_network import MicroNetwork, MicroModules
from dlcli.nn.supernet.micro_space import MicroSpace


class MicroCNN(MicroNetwork):
    """A chain of normal cells with reduction cells between them; all cells of a kind have one architecture.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.4. Differs: a reduction cell halves its two inputs by
    factorised reduction and then works at one size, where the paper's operations have stride 2; every input of a cell
    has a 1x1 convolution of its own; no auxiliary head and no dropped paths.

    Args:
        spec: one image (channel, height, width); target of one position.
        architecture: a member of `MicroSpace(nodes)`.
        nodes: of each cell.
        cells: normal cells.
        channels: of a cell, at least 2; twice as many after each reduction.
        stem: channels of the first convolution, which every network has.
        reductions: reduction cells, at least one, fewer than normal cells.
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
        super().__init__(space, check(space, architecture), parts, chain=chain)
        self.space = space
