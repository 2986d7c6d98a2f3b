"""Elman policy, computed one step at a time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, init_uniform_, recurrent_weight
from dlcli.nn.recurrent.policy import RecurrentPolicy


class _ElmanCell(RecurrentCell):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.inputs = nn.Linear(width, hidden)
        self.states = recurrent_weight(hidden, 1)
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        return (self.inputs(x),)

    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        return (torch.addmm(now[0], state[0], self.states).tanh(),)


class ElmanPolicy(RecurrentPolicy):
    """Elman network as a policy: h_t = tanh(W x_t + U h_{t-1} + b), linear output.

    Paper: Elman 1990, Cognitive Science 14(2). Differs: tanh units.
    """

    cell_class = _ElmanCell
