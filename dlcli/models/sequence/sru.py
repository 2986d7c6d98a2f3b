"""Simple recurrent unit."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dlcli.core.task import Carry
from dlcli.nn.recurrent.network import RecurrentLayer, RecurrentNetwork, StackedLayers


class SRU(RecurrentNetwork):
    """Simple recurrent unit: gates depend on the input only, so the recurrence is an elementwise linear scan.

    Paper: Lei et al. 2017, arXiv:1709.02755v1; in later versions the gates depend on c. Differs: if the input width
    differs from `hidden`, the highway connection has a matrix.
    Arguments: see `RecurrentNetwork`.
    """

    def build_layers(self, width: int, *, hidden: int, layers: int, dropout: float) -> StackedLayers:
        return StackedLayers(width, _Layer, hidden=hidden, layers=layers, dropout=dropout)


class _Layer(RecurrentLayer):
    """f, r = s(W x + b); c_t = f_t * c_{t-1} + (1 - f_t) * (W x_t); h_t = r_t * tanh(c_t) + (1 - r_t) * x_t.

    Args:
        width: input channels; if different from `hidden`, the x_t of the highway connection is projected.
        hidden: units of the state.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.width = hidden
        self.inputs = nn.Linear(width, 3 * hidden, bias=False)
        self.bias = nn.Parameter(torch.zeros(2 * hidden))
        self.highway = nn.Identity() if width == hidden else nn.Linear(width, hidden, bias=False)

    def start(self, batch: int) -> Carry:
        return self.bias.new_zeros(batch, self.width)

    def forward(
        self, x: Float[Tensor, "time batch channel"], carry: Carry
    ) -> tuple[Float[Tensor, "time batch unit"], Carry]:
        gates, candidate = self.inputs(x).split((2 * self.width, self.width), dim=2)
        f, r = (gates + self.bias).sigmoid().chunk(2, 2)
        c = scan(f, torch.addcmul(candidate, f, candidate, value=-1), carry)
        x = self.highway(x)
        return torch.addcmul(x, r, c.tanh() - x), c[-1]


def scan(
    decay: Float[Tensor, "time batch unit"],
    x: Float[Tensor, "time batch unit"],
    start: Float[Tensor, "batch unit"],
) -> Float[Tensor, "time batch unit"]:
    """Linear recurrence c_t = decay_t c_{t-1} + x_t for all t, with c_0 = start, in the precision of `start`.

    The gradient is the same recurrence backward in time: both passes use one kernel per step and store no graph of the
    steps, which on a CPU is faster than a parallel scan of logarithmic depth (benchmarks/cells.py). Once
    differentiable.
    """
    return _Scan.apply(decay.to(start.dtype), x.to(start.dtype), start)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(decay: Tensor, x: Tensor, start: Tensor) -> Tensor:
        states = torch.empty_like(x, memory_format=torch.contiguous_format)
        before = start
        for by, add, state in zip(decay.unbind(), x.unbind(), states.unbind(), strict=True):
            before = torch.addcmul(add, by, before, out=state)
        return states

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        decay, _, start = inputs
        ctx.save_for_backward(decay, start, output)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        decay, start, states = ctx.saved_tensors
        total = torch.empty_like(states)
        total[-1] = grad[-1]
        steps, decays, grads = total.unbind(), decay.unbind(), grad.unbind()
        for t in range(len(steps) - 2, -1, -1):
            torch.addcmul(grads[t], decays[t + 1], steps[t + 1], out=steps[t])
        by = torch.empty_like(states)
        torch.mul(total[0], start, out=by[0])
        torch.mul(total[1:], states[:-1], out=by[1:])
        return by, total, decay[0] * total[0]
