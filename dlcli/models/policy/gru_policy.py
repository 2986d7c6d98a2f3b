"""GRU policy, computed one step at a time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, init_uniform_, recurrent_weight
from dlcli.nn.recurrent.logistic import logistic
from dlcli.nn.recurrent.policy import RecurrentPolicy


class _GRUCell(RecurrentCell):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.inputs = nn.Linear(width, 3 * hidden)
        self.states = recurrent_weight(hidden, 3)
        self.bias = nn.Parameter(torch.empty(hidden))
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        return (self.inputs(x),)

    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        (h,), (x,) = state, now
        r_x, z_x, n_x = x.chunk(3, 1)
        r_h, z_h, n_h = (h @ self.states).chunk(3, 1)
        r, z = logistic(r_x + r_h), logistic(z_x + z_h)
        n = (n_x + r * (n_h + self.bias)).tanh()
        return (n + z * (h - n),)


class GRUPolicy(RecurrentPolicy):
    """Gated recurrent unit as a policy, linear output.

    n_t = tanh(W x_t + b + r_t * (U h_{t-1} + b')), h_t = (1 - z_t) * n_t + z_t * h_{t-1}.

    Paper: Cho et al. 2014, arXiv:1406.1078, section 2.3. Differs: the reset gate is applied after the matrix product,
    r * (U h), as in cuDNN; the paper has U (r * h).
    """

    cell_class = _GRUCell
