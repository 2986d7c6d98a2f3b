"""Elman's simple recurrent network, one step at a time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.cell_policy import CellPolicy
from dlcli.nn.unrolled import Cell, Parts, recurrent, uniform_


class _ElmanCell(Cell):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.inputs = nn.Linear(width, hidden)
        self.states = recurrent(hidden, 1)
        uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> Parts:
        return (self.inputs(x),)

    def step(self, now: Parts, state: Parts) -> Parts:
        return (torch.addmm(now[0], state[0], self.states).tanh(),)


class ElmanPolicy(CellPolicy):
    """Simple recurrent network as a policy: h_t = tanh(W x_t + U h_{t-1} + b), then a linear answer.

    Paper: Elman 1990, Cognitive Science 14(2). Differs: tanh units.

    Args:
        spec: one Real input of any shape, laid out flat; target of one position.
        hidden: units of the state.

    Raises:
        UsageError: `hidden` is below 1.
        Mismatch: the input is not real values of a known size, or the target has several positions.
    """

    def __init__(self, spec: Spec, *, hidden: int) -> None:
        super().__init__(spec, _ElmanCell, hidden=hidden, reader="ElmanPolicy")
