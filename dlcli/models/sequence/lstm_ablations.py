"""The LSTM with one gate taken out: what does each gate do?"""

from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.spec import Spec
from dlcli.nn.recurrent.network import RecurrentNetwork
from dlcli.nn.recurrent.cells import RecurrentCell, TensorTuple, stack_cells, recurrent_weight, init_uniform_


class _TwoGates(RecurrentCell):
    """An LSTM cell with two of the three gates, held open where the third was: its value is 1.

    Sums come as the two gates, then the candidate g, so that one kernel squashes both gates. One bias a gate.
    """

    parts = 2

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(hidden)
        self.inputs = nn.Linear(width, 3 * hidden)
        self.recurrent = recurrent_weight(hidden, 3)
        init_uniform_(self)

    def project(self, x: Float[Tensor, "time batch channel"]) -> TensorTuple:
        return (self.inputs(x),)

    def sums(self, now: TensorTuple, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The two gates and the candidate."""
        gates, candidate = torch.addmm(now[0], h, self.recurrent).split((2 * self.hidden, self.hidden), 1)
        first, second = gates.sigmoid().chunk(2, 1)
        return first, second, candidate.tanh()


class _Forgetting(_TwoGates):
    """Two gates of which the first is the forget gate."""

    def __init__(self, width: int, hidden: int, forget_bias: float) -> None:
        super().__init__(width, hidden)
        nn.init.constant_(self.inputs.bias[:hidden], forget_bias)


class _WithoutInputGate(_Forgetting):
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        h, c = state
        f, o, g = self.sums(now, h)
        c = torch.addcmul(g, f, c)
        return o * c.tanh(), c


class _WithoutForgetGate(_TwoGates):
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        h, c = state
        i, o, g = self.sums(now, h)
        c = torch.addcmul(c, i, g)
        return o * c.tanh(), c


class _WithoutOutputGate(_Forgetting):
    def step(self, now: TensorTuple, state: TensorTuple) -> TensorTuple:
        h, c = state
        f, i, g = self.sums(now, h)
        c = torch.addcmul(f * c, i, g)
        return c.tanh(), c


class _Ablation(RecurrentNetwork):
    """An LSTM that has a forget gate and lacks another.

    Paper: Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network
    Architectures", ICML. Differs: what is left is the cell of nn.LSTM (logistic gates, no peepholes) with one
    bias a gate.

    Args:
        spec: one input, (channel, time) or tokens (time); target one value a sequence, or one a step.
        hidden: units of every layer.
        layers: how many.
        dropout: probability in [0, 1), between layers and before the head.
        forget_bias: what the forget gates' bias starts at, in every layer.
        embedding: width of a token's vector; not used for real inputs.
        embedding_dropout: probability in [0, 1).
        tied: the embedding is also the output matrix; needs embedding = hidden.

    Raises:
        UsageError: a number is out of range.
        Mismatch: the input is neither (channel, time) nor tokens.
    """

    model_name: ClassVar[str]
    cell: ClassVar[type[_Forgetting]]

    def __init__(
        self,
        spec: Spec,
        *,
        hidden: int,
        layers: int,
        dropout: float,
        forget_bias: float,
        embedding: int,
        embedding_dropout: float,
        tied: bool,
    ) -> None:
        super().__init__(
            spec,
            stack_cells(partial(self.cell, forget_bias=forget_bias), hidden=hidden, layers=layers, dropout=dropout),
            model_name=self.model_name,
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )


class LSTMWithoutInputGate(_Ablation):
    """LSTM-i: c_t = f_t * c_{t-1} + g_t, h_t = o_t * tanh(c_t)."""

    model_name, cell = "LSTM-i", _WithoutInputGate


class LSTMWithoutOutputGate(_Ablation):
    """LSTM-o: c_t = f_t * c_{t-1} + i_t * g_t, h_t = tanh(c_t)."""

    model_name, cell = "LSTM-o", _WithoutOutputGate


class LSTMWithoutForgetGate(RecurrentNetwork):
    """LSTM-f: c_t = c_{t-1} + i_t * g_t, h_t = o_t * tanh(c_t); it never forgets, as in 1997.

    Paper: Jozefowicz, Zaremba & Sutskever 2015, "An Empirical Exploration of Recurrent Network
    Architectures", ICML. Differs: what is left is the cell of nn.LSTM (logistic gates, no peepholes) with one
    bias a gate.

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
            stack_cells(_WithoutForgetGate, hidden=hidden, layers=layers, dropout=dropout),
            model_name="LSTM-f",
            dropout=dropout,
            embedding=embedding,
            embedding_dropout=embedding_dropout,
            tied=tied,
        )
