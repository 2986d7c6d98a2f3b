"""Gradients of class scores with respect to the input."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.core.evaluation_mode import input_gradients


def scores(model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """Score of one output unit per row."""
    return model(x).gather(1, unit[:, None])[:, 0]


def input_gradient(
    model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"]
) -> Float[Tensor, "batch *axes"]:
    """Gradient of each row's score with respect to the row, in evaluation mode; zeros if it is independent of it."""
    with input_gradients(model):
        leaf = x.detach().clone().requires_grad_()
        # clone: the first layer may operate in place, which autograd forbids on a leaf
        total = scores(model, leaf.clone(), unit).sum()
        if not total.requires_grad:
            return torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(total, leaf, materialize_grads=True)
    return gradient


def saliency(
    model: nn.Module, x: Float[Tensor, "batch channel *positions"], unit: Int[Tensor, " batch"]
) -> Float[Tensor, "batch *positions"]:
    """Saliency map: largest absolute input gradient over the channels of each position.

    Paper: Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034, section 3.
    """
    return input_gradient(model, x, unit).abs().amax(1)
