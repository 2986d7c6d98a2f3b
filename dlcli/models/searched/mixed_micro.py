"""Continuous relaxation of the micro space: every edge is a mixture of all operations (DARTS)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.space import Architecture, architecture_override, check_architecture
from dlcli.core.spec import Spec
from dlcli.nn.conv.blocks import non_affine_batch_norm
from dlcli.nn.supernet.cell_stack import STEM_MULTIPLIER, CellStack
from dlcli.nn.supernet.micro_network import MicroModules, concatenate_outputs, micro_module_names
from dlcli.nn.supernet.micro_space import KINDS, OPERATIONS, MicroSpace
from dlcli.nn.supernet.supernet import model_overrides, module_key

_POOLING = (2, 3)  # indices of the pooling operations
_DEVIATION = 1e-3  # of the initial logits alpha


class MixedMicro(nn.Module):
    """DARTS on the micro space: each node adds all earlier states, each through a mixture of the five operations.

    Parts: `shared`, the weights, and `alpha`, one row of logits per (node, state) for each kind of cell. Batch norm
        uses the
    statistics of the batch and has no scale, and follows pooling as well; the output of a cell is the concatenation of
    its nodes.

    Paper: Liu, Simonyan & Yang 2019, arXiv:1806.09055, sections 2.2 and 2.4. Differs: the space is that of `MicroCNN`,
    without "none" and dilated convolutions.

    Args:
        spec, nodes, cells, channels, reductions, dropout: see `MicroCNN`; the stem has three times `channels`.

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image, or too small for the reductions.
    """

    def __init__(self, spec: Spec, *, nodes: int, cells: int, channels: int, reductions: int, dropout: float) -> None:
        super().__init__()
        self.space = MicroSpace(nodes)
        self._chain = CellStack(cells=cells, channels=channels, stem=STEM_MULTIPLIER * channels, reductions=reductions)
        part = MicroModules(spec, self._chain, dropout=dropout, norm=non_affine_batch_norm, model_name="MixedMicro")
        names = [
            name for name in micro_module_names(nodes, self._chain, sides=(0,)) if name[0] != "end" or int(name[2]) > 1
        ]
        self.shared = nn.ModuleDict({module_key(name): part(name) for name in names})
        self._states = [node + 2 for node in range(nodes)]
        self.alpha = nn.ParameterDict(
            {kind: _DEVIATION * torch.randn(sum(self._states), len(OPERATIONS)) for kind in KINDS}
        )
        self._alone = model_overrides(
            "micro_cnn",
            nodes=nodes,
            cells=cells,
            channels=channels,
            stem=STEM_MULTIPLIER * channels,
            reductions=reductions,
            dropout=dropout,
        )

    def best(self) -> Architecture:
        """Per node the two states whose best operation has the largest weight, with that operation (section 2.4)."""
        numbers: list[int] = []
        for kind in KINDS:
            strengths, operations = self.alpha[kind].detach().softmax(1).max(1)
            for node, strength in enumerate(strengths.split(self._states)):
                top2 = strength.topk(2).indices.sort().values
                selected = operations.split(self._states)[node][top2]
                numbers += torch.stack((top2, selected), 1).flatten().tolist()
        return tuple(numbers)

    def standalone_overrides(self, architecture: Sequence[int]) -> tuple[str, ...]:
        """Overrides that build the standalone network of an architecture."""
        return (*self._alone, architecture_override(check_architecture(self.space, architecture)))

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        older = last = self.shared["stem"](x)
        shares = [self.alpha[kind].softmax(1).split(self._states) for kind in KINDS]
        for cell, reduces in enumerate(self._chain.reducing):
            older, last = last, self._cell(cell, shares[reduces], older, last)
        return self.shared["answer"](last)

    def _cell(self, cell: int, shares: Sequence[Tensor], *inputs: Tensor) -> Tensor:
        states = [self.shared[f"input_{cell}_{side}"](x) for side, x in enumerate(inputs)]
        for node, share in enumerate(shares):
            results = [
                self._operate(cell, node, state, choice, x)
                for state, x in enumerate(states)
                for choice in range(len(OPERATIONS))
            ]
            states.append(torch.tensordot(share.flatten(), torch.stack(results), 1))
        return concatenate_outputs(self.shared, cell, states, range(2, len(states)))

    def _operate(self, cell: int, node: int, state: int, choice: int, x: Tensor) -> Tensor:
        y = self.shared[f"operation_{cell}_{node}_0_{state}_{choice}"](x)
        return F.batch_norm(y, None, None, training=True) if choice in _POOLING else y
