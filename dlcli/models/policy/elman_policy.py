"""Elman's simple recurrent network, one step at a time."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.policy import RecurrentPolicy
from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, recurrent_weight, init_uniform_


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
        super().__init__(spec, _ElmanCell, hidden=hidden, model_name="ElmanPolicy")
