"""The three best cells of an evolutionary search."""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.network import RecurrentNetwork
from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, stack_cells, recurrent_weight, init_uniform_


def _embed(width: int, hidden: int) -> nn.Module:
    """An input used bare is as wide as the state: embedded, unless it is already."""
    return nn.Identity() if width == hidden else nn.Linear(width, hidden, bias=False)


def _move(h: Tensor, z: Tensor, candidate: Tensor) -> Tensor:
    """candidate * z + h * (1 - z); not lerp, which takes no mixed precision."""
    return torch.addcmul(h, z, candidate - h)


class _MUT1Cell(RecurrentCell):
    """z needs no state, and neither does the candidate's tanh(x): only r is left to the step."""

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
        return (_move(h, z, torch.addmm(x, r * h, self.candidate).tanh()),)


class _MUT2Cell(RecurrentCell):
    """r takes the embedded input as it is, beside its bias."""

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
        return (_move(h, z, torch.addmm(x, r * h, self.candidate).tanh()),)


class _MUT3Cell(RecurrentCell):
    """z sees the state through a tanh; every x has a matrix, so nothing has to be embedded."""

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
        return (_move(h, z, torch.addmm(x, r * h, self.candidate).tanh()),)


class _MUT(RecurrentNetwork):
    """Layers of a mutated gated cell.

    Paper: Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network
    Architectures", ICML. Differs: where a bare x stands in the equations and the input is not `hidden` wide,
    it is embedded by a matrix.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        hidden: units of every layer.
        layers: how many.
        dropout: probability in [0, 1), between layers and before the head.
        embedding: width of a token's vector; not used for real inputs.
        embedding_dropout: probability in [0, 1).
        tied: the embedding is also the output matrix; needs embedding = hidden.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
    """

    cell: ClassVar[type[RecurrentCell]]

    def __init__(
        self,
        spec: Spec,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        super().__init__(
            spec,
            stack_cells(self.cell, hidden=hidden, layers=layers, dropout=dropout),
            model_name=type(self).__name__,
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )


class MUT1(_MUT):
    """z = s(W x + b), r = s(W x + U h + b), h' = z * tanh(U (r * h) + tanh(x) + b) + (1 - z) * h."""

    cell = _MUT1Cell


class MUT2(_MUT):
    """z = s(W x + U h + b), r = s(x + U h + b), h' = z * tanh(U (r * h) + W x + b) + (1 - z) * h."""

    cell = _MUT2Cell


class MUT3(_MUT):
    """z = s(W x + U tanh(h) + b), r = s(W x + U h + b), h' = z * tanh(U (r * h) + W x + b) + (1 - z) * h."""

    cell = _MUT3Cell
