"""Networks of the micro search space: their modules and their assembly from two cells."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.space import Architecture
from dlcli.core.spec import Spec
from dlcli.nn.checks import probability
from dlcli.nn.conv.blocks import (
    FactorizedReduction,
    Norm,
    average_pooling,
    max_pooling,
    pointwise,
    pooled_classifier,
    separable,
)
from dlcli.nn.shapes import check_reductions, image_shape
from dlcli.nn.supernet.cell_stack import CellStack
from dlcli.nn.supernet.micro_space import OPERATIONS, CellPlan, MicroSpace
from dlcli.nn.supernet.supernet import ChildNetwork, ModuleFactory, ModuleName


class MicroModules:
    """Factory of the modules of micro networks.

    A separable convolution is twice (ReLU, depthwise, 1x1, batch norm); pooling and identity have no weights (Pham et
    al. 2018, published code).

    Raises:
        UsageError: a hyper-parameter is out of range.
        Mismatch: the input is not an image, or too small for the reductions.
    """

    def __init__(self, spec: Spec, chain: CellStack, *, dropout: float, norm: Norm, model_name: str) -> None:
        check_reductions(spec, chain.stage[-1], model_name)
        self.inputs, self.units = image_shape(spec, model_name)[0], spec.target.width
        self.chain, self.norm = chain, norm
        self.dropout = probability("model.dropout", dropout)

    def __call__(self, name: ModuleName) -> nn.Module:
        kind, numbers = name[0], [int(number) for number in name[1:]]
        if kind == "stem":
            return nn.Sequential(*self._first(self.chain.stem))
        if kind == "answer":
            return nn.Sequential(nn.ReLU(), pooled_classifier(self.chain.width[-1], self.units, self.dropout))
        width = self.chain.width[numbers[0]]
        if kind == "input":
            return self._input(*numbers)
        if kind == "operation":
            return self._operation(width, numbers[-1])
        return nn.Conv2d(width, width, 1, bias=False) if kind == "end" else self.norm(width)

    def _first(self, width: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(self.inputs, width, 3, padding=1, bias=False), self.norm(width)

    def _input(self, cell: int, side: int) -> nn.Module:
        inputs, halve = self.chain.read(cell, side)
        width = self.chain.width[cell]
        if halve:
            return nn.Sequential(nn.ReLU(), FactorizedReduction(inputs, width, self.norm))
        return nn.Sequential(nn.ReLU(), *pointwise(inputs, width, self.norm))

    def _operation(self, width: int, choice: int) -> nn.Module:
        if choice < 2:
            size, norm = (3, 5)[choice], self.norm
            return nn.Sequential(*(layer for _ in range(2) for layer in (nn.ReLU(), *separable(width, size, norm))))
        return (average_pooling, max_pooling, nn.Identity)[choice - 2]()


class MicroNetwork(ChildNetwork):
    """Child network of the micro space.

    Each input of a cell passes ReLU, 1x1 convolution or factorized reduction, and batch norm. The unread states are
    concatenated, then ReLU, 1x1 convolution, batch norm; every possible output state has its own columns of this
    convolution.

    Paper: Pham et al. 2018, arXiv:1802.03268, section 2.4.

    Args:
        space: the search space.
        architecture: a member of the space.
        part: factory of the modules.
        chain: order of the cells.
    """

    def __init__(self, space: MicroSpace, architecture: Architecture, part: ModuleFactory, *, chain: CellStack) -> None:
        normal, reduction = space.cells(architecture)
        self._plans = [reduction if reduces else normal for reduces in chain.reducing]
        names = [name for cell, plan in enumerate(self._plans) for name in _cell_names(cell, plan)]
        super().__init__(part, [("stem",), ("answer",), *names])

    def forward(self, x: Float[Tensor, "batch channel height width"]) -> Float[Tensor, "batch unit"]:
        older = last = self.parts["stem"](x)
        for cell, plan in enumerate(self._plans):
            older, last = last, self._cell(cell, plan, older, last)
        return self.parts["answer"](last)

    def _cell(self, cell: int, plan: CellPlan, *inputs: Tensor) -> Tensor:
        states = [self.parts[f"input_{cell}_{side}"](x) for side, x in enumerate(inputs)]
        for node, reads in enumerate(plan.nodes):
            first, second = (
                self.parts[f"operation_{cell}_{node}_{side}_{state}_{operation}"](states[state])
                for side, (state, operation) in enumerate(reads)
            )
            states.append(first + second)
        return concatenate_outputs(self.parts, cell, states, plan.ends)


def concatenate_outputs(parts: nn.ModuleDict, cell: int, states: Sequence[Tensor], ends: Sequence[int]) -> Tensor:
    """Output of a cell: concatenated output states, projected to the width of the cell."""
    columns = torch.cat([cast(nn.Conv2d, parts[f"end_{cell}_{end}"]).weight for end in ends], 1)
    return parts[f"norm_{cell}"](F.conv2d(torch.cat([states[end] for end in ends], 1).relu(), columns))


def _cell_names(cell: int, plan: CellPlan) -> Iterator[ModuleName]:
    yield from (("input", cell, 0), ("input", cell, 1), ("norm", cell))
    yield from (("end", cell, end) for end in plan.ends)
    for node, reads in enumerate(plan.nodes):
        yield from (("operation", cell, node, side, state, choice) for side, (state, choice) in enumerate(reads))


def micro_module_names(nodes: int, chain: CellStack, sides: Sequence[int] = (0, 1)) -> list[ModuleName]:
    """Names of all modules that child networks use: one operation per (cell, node, side, state, choice)."""
    names: list[ModuleName] = [("stem",), ("answer",)]
    for cell in range(len(chain)):
        names += [("input", cell, 0), ("input", cell, 1), ("norm", cell)]
        names += [("end", cell, state) for state in range(nodes + 2)]
        names += [
            ("operation", cell, node, side, state, choice)
            for node in range(nodes)
            for side in sides
            for state in range(node + 2)
            for choice in range(len(OPERATIONS))
        ]
    return names
