"""Prediction vectors û = W u of capsules, contracted without being materialized."""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable


@runtime_checkable
class PredictionVectors(Protocol):
    """Contractions of û [batch, input, output, pose] that routing requires."""

    inputs: int
    outputs: int

    def total(self) -> Float[Tensor, "batch output pose"]:
        """Sum over the inputs."""

    def combine(self, coupling: Float[Tensor, "output batch input"]) -> Float[Tensor, "batch output pose"]:
        """Sum over the inputs, weighted by the coupling coefficients."""

    def agree(self, v: Float[Tensor, "batch output pose"]) -> Float[Tensor, "output batch input"]:
        """Agreement: scalar product of each prediction vector with its output."""


class PairwisePredictionVectors:
    """Prediction vectors with one matrix per pair of input and output.

    û has batch x input x output x pose values and every routing iteration would read it several times. Instead the
    coupling coefficients are multiplied into u, output by output, and one matrix product computes both sums; gradients
    are written by hand in the same way.

    Args:
        u: input poses; the input axis is last, so that long sums run over contiguous memory.
        W: weight matrices.
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
    """Prediction vectors with one matrix per output, shared by any number of inputs."""

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
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        coupling, u, W = ctx.saved_tensors
        agreement = torch.empty_like(coupling)
        du, dW = _gradients(coupling, u, W, grad_output, agreement)
        return agreement, du, dW


class _Agree(torch.autograd.Function):
    """a_ij = v_j W_ij u_i."""

    generate_vmap_rule = True

    @staticmethod
    def forward(v: Tensor, u: Tensor, W: Tensor) -> Tensor:
        return torch.stack([(_project_back(pose, w, u) * u).sum(1) for pose, w in _outputs(v.transpose(0, 1), W)])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        v, u, W = ctx.saved_tensors
        du, dW = _gradients(grad_output, u, W, v, None)
        return _Combine.forward(grad_output, u, W), du, dW


def _gradients(coupling: Tensor, u: Tensor, W: Tensor, v: Tensor, agreement: Tensor | None) -> tuple[Tensor, Tensor]:
    """Gradients of Σ c_ij v_j W_ij u_i with respect to u and W; the one for c is written to `agreement` if given."""
    du, dW = torch.zeros_like(u), W.new_empty(W.shape)
    flat = dW.view(-1, *W.shape[2:])
    for index, (c, w) in enumerate(_outputs(coupling, W)):
        flat[:, index] = _weighted(c, u).T @ v[:, index]
        projected = _project_back(v[:, index], w, u)
        if agreement is not None:
            torch.sum(projected * u, 1, out=agreement[index])
        du.addcmul_(projected, c[:, None])
    return du, dW


def _outputs(by_output: Tensor, W: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Pairs of the slice of each output and its matrices as one [dim x input, pose]."""
    return list(zip(by_output.unbind(), W.flatten(0, 1).unbind(1), strict=True))


def _weighted(c: Tensor, u: Tensor) -> Tensor:
    """Inputs weighted by the couplings of one output, [batch, dim x input]."""
    return (c[:, None] * u).flatten(1)


def _project_back(v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """Pose of one output projected to the input space, W' v: [batch, dim, input]."""
    return (v @ w.T).view_as(u)
