"""MUT1, MUT2 and MUT3: the best cells of an evolutionary architecture search."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, init_uniform_, recurrent_weight, stack_cells
from dlcli.nn.recurrent.network import RecurrentNetwork, StackedLayers


def _embed(width: int, hidden: int) -> nn.Module:
    """Projection of the input to the width of the state; the identity if the widths are equal."""
    return nn.Identity() if width == hidden else nn.Linear(width, hidden, bias=False)


def _interpolate(h: Tensor, z: Tensor, candidate: Tensor) -> Tensor:
    """Z * candidate + (1 - z) * h; `lerp` does not support mixed precision."""
    return torch.addcmul(h, z, candidate - h)


class _MUT1Cell(RecurrentCell):
    """Cell of MUT1: z and tanh(x) do not depend on the state, so that each step computes r and the candidate only."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.embed = _embed(width, hidden)
        self.inputs = nn.Linear(hidden, 2 * hidden)
        self.bias = nn.Parameter(torch.empty(hidden))
        self.reset, self.candidate = recurrent_weight(hidden, 1), recurrent_weight(hidden, 1)
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        x = self.embed(x)
        z, r = self.inputs(x).chunk(2, 2)
        return z.sigmoid(), r, x.tanh() + self.bias

    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        (h,), (z, r, x) = state, now
        r = torch.addmm(r, h, self.reset).sigmoid()
        return (_interpolate(h, z, torch.addmm(x, r * h, self.candidate).tanh()),)


class _MUT2Cell(RecurrentCell):
    """Cell of MUT2: r uses the projected input without a matrix."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.embed = _embed(width, hidden)
        self.inputs = nn.Linear(hidden, 2 * hidden)
        self.bias = nn.Parameter(torch.empty(hidden))
        self.gates, self.candidate = recurrent_weight(hidden, 2), recurrent_weight(hidden, 1)
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        x = self.embed(x)
        z, candidate = self.inputs(x).chunk(2, 2)
        return torch.cat((z, x + self.bias), dim=2), candidate

    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        (h,), (gates, x) = state, now
        z, r = torch.addmm(gates, h, self.gates).sigmoid().chunk(2, 1)
        return (_interpolate(h, z, torch.addmm(x, r * h, self.candidate).tanh()),)


class _MUT3Cell(RecurrentCell):
    """Cell of MUT3: z uses tanh(h); every x has a matrix, so no projection of the input is required."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.inputs = nn.Linear(width, 3 * hidden)
        self.update, self.reset, self.candidate = (recurrent_weight(hidden, 1) for _ in range(3))
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        return self.inputs(x).chunk(3, 2)

    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        (h,), (z, r, x) = state, now
        z = torch.addmm(z, h.tanh(), self.update).sigmoid()
        r = torch.addmm(r, h, self.reset).sigmoid()
        return (_interpolate(h, z, torch.addmm(x, r * h, self.candidate).tanh()),)


class _MUT(RecurrentNetwork):
    """Mutated gated cell found by evolutionary search.

    Paper: Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network Architectures", ICML.
    Differs: where x appears without a matrix and the input width differs from `hidden`, x is multiplied by one.
    Arguments: see `RecurrentNetwork`.
    """

    cell: ClassVar[type[RecurrentCell]]

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> StackedLayers:
        return stack_cells(self.cell, width, hidden=hidden, layers=layers, dropout=dropout)


class MUT1(_MUT):
    """z = s(W x + b), r = s(W x + U h + b), h' = z * tanh(U (r * h) + tanh(x) + b) + (1 - z) * h."""

    cell = _MUT1Cell


class MUT2(_MUT):
    """z = s(W x + U h + b), r = s(x + U h + b), h' = z * tanh(U (r * h) + W x + b) + (1 - z) * h."""

    cell = _MUT2Cell


class MUT3(_MUT):
    """z = s(W x + U tanh(h) + b), r = s(W x + U h + b), h' = z * tanh(U (r * h) + W x + b) + (1 - z) * h."""

    cell = _MUT3Cell
