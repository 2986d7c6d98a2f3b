"""What input capsules say of output capsules, û = W u, without ever being written out."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


@runtime_checkable
class PredictionVectors(Protocol):
    """Contractions of û [batch, input, output, pose], all that routing asks of it."""

    inputs: int
    outputs: int

    def total(self) -> Float[Tensor, "batch output pose"]:
        """Sum over the inputs."""

    def combine(self, coupling: Float[Tensor, "output batch input"]) -> Float[Tensor, "batch output pose"]:
        """Sum over the inputs, each weighted."""

    def agree(self, v: Float[Tensor, "batch output pose"]) -> Float[Tensor, "output batch input"]:
        """Scalar product of every vote with the output it is for."""


class PairwisePredictionVectors:
    """Every pair of an input and an output has a matrix of its own.

    û has batch x input x output x pose values and is read several times by each iteration. Here the couplings are
    folded into u, output by output, and one matrix product takes both sums; gradients are written out the same way.

    Args:
        u: poses of the inputs, laid out so that sums over the few dimensions run along the many inputs.
        W: the matrices.
    """

    def __init__(self, u: Float[Tensor, "batch dim input"], W: Float[Tensor, "dim input output pose"]) -> None:
        self.u, self.W, self.inputs, self.outputs = u, W, u.shape[2], W.shape[2]

    def total(self) -> Float[Tensor, "batch output pose"]:
        flat = self.u.flatten(1) @ self.W.flatten(2).flatten(0, 1)
        return flat.unflatten(1, (self.outputs, -1))

    def combine(self, coupling: Float[Tensor, "output batch input"]) -> Float[Tensor, "batch output pose"]:
        return _Combine.apply(coupling, self.u, self.W)

    def agree(self, v: Float[Tensor, "batch output pose"]) -> Float[Tensor, "output batch input"]:
        return _Agree.apply(v, self.u, self.W)


class SharedPredictionVectors:
    """Every output has one matrix for all inputs, of which there may be any number: `share_weights` of Su's code."""

    def __init__(self, u: Float[Tensor, "batch dim input"], W: Float[Tensor, "dim output pose"]) -> None:
        self.u, self.W, self.inputs, self.outputs = u, W, u.shape[2], W.shape[1]

    def total(self) -> Float[Tensor, "batch output pose"]:
        return torch.einsum("bd,djk->bjk", self.u.sum(2), self.W)

    def combine(self, coupling: Float[Tensor, "output batch input"]) -> Float[Tensor, "batch output pose"]:
        return torch.einsum("bdj,djk->bjk", self.u @ coupling.permute(1, 2, 0), self.W)

    def agree(self, v: Float[Tensor, "batch output pose"]) -> Float[Tensor, "output batch input"]:
        return (torch.einsum("bjk,djk->bjd", v, self.W) @ self.u).transpose(0, 1)


class _Combine(torch.autograd.Function):
    """s_j = Σ_i c_ij W_ij u_i."""

    generate_vmap_rule = True

    @staticmethod
    def forward(coupling: Tensor, u: Tensor, W: Tensor) -> Tensor:
        return torch.stack([_weighted(c, u) @ w for c, w in _outputs(coupling, W)], 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        coupling, u, W = ctx.saved_tensors
        agreement = torch.empty_like(coupling)
        du, dW = _gradients(coupling, u, W, slope, agreement)
        return agreement, du, dW


class _Agree(torch.autograd.Function):
    """a_ij = v_j W_ij u_i."""

    generate_vmap_rule = True

    @staticmethod
    def forward(v: Tensor, u: Tensor, W: Tensor) -> Tensor:
        return torch.stack([(_seen(one, w, u) * u).sum(1) for one, w in _outputs(v.transpose(0, 1), W)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        v, u, W = ctx.saved_tensors
        du, dW = _gradients(slope, u, W, v, None)
        return _Combine.forward(slope, u, W), du, dW


def _gradients(coupling: Tensor, u: Tensor, W: Tensor, v: Tensor, agreement: Tensor | None) -> tuple[Tensor, Tensor]:
    """Of Σ c_ij v_j W_ij u_i, by u and by W; that by c goes into `agreement` if it is wanted."""
    du, dW = torch.zeros_like(u), W.new_empty(W.shape)
    flat = dW.view(-1, *W.shape[2:])
    for place, (c, w) in enumerate(_outputs(coupling, W)):
        flat[:, place] = _weighted(c, u).T @ v[:, place]
        seen = _seen(v[:, place], w, u)
        if agreement is not None:
            torch.sum(seen * u, 1, out=agreement[place])
        du.addcmul_(seen, c[:, None])
    return du, dW


def _outputs(by_output: Tensor, W: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What belongs to each output, and its matrices as one [dim x input, pose]."""
    return list(zip(by_output.unbind(), W.flatten(0, 1).unbind(1), strict=True))


def _weighted(c: Tensor, u: Tensor) -> Tensor:
    """The inputs by their couplings with one output, [batch, dim x input]."""
    return (c[:, None] * u).flatten(1)


def _seen(v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """One output seen from the inputs, W' v: [batch, dim, input]."""
    return (v @ w.T).view_as(u)
