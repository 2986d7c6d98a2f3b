"""Linear recurrences on elementwise operations."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


def scan(
    decay: Float[Tensor, "time batch unit"],
    x: Float[Tensor, "time batch unit"],
    start: Float[Tensor, "batch unit"],
) -> Float[Tensor, "time batch unit"]:
    """c_t = decay_t c_{t-1} + x_t for every t, from c_0 = start.

    It is summed up in the precision of `start`. Its gradient is the same recurrence backwards in time, so
    both ways take one kernel a step and keep no graph of the steps; on a CPU that is faster than the log-step
    parallel scan (benchmarks/cells.py). Once differentiable.
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
