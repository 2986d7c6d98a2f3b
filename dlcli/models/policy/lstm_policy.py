"""LSTM policy, computed one step at a time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, init_uniform_, recurrent_weight
from dlcli.nn.recurrent.logistic import logistic
from dlcli.nn.recurrent.policy import RecurrentPolicy


class _LSTMCell(RecurrentCell):
    parts = 2  # h and c

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.inputs = nn.Linear(width, 4 * hidden)
        self.states = recurrent_weight(hidden, 4)
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        return (self.inputs(x),)

    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        h, c = state
        i, f, g, o = torch.addmm(now[0], h, self.states).chunk(4, 1)
        c = logistic(f) * c + logistic(i) * g.tanh()
        return logistic(o) * c.tanh(), c


class LSTMPolicy(RecurrentPolicy):
    """Long short-term memory with a forget gate as a policy, linear output.

    c_t = f_t * c_{t-1} + i_t * g_t, h_t = o_t * tanh(c_t).

    Paper: Hochreiter & Schmidhuber 1997, Neural Computation 9(8); forget gate: Gers, Schmidhuber & Cummins 2000, Neural
    Computation 12(10). Differs: nothing.
    """

    cell_class = _LSTMCell
