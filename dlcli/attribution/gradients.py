"""How scores change with what goes in."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.core.modes import still


def scores(model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """The score that the model gives each row for one unit of its own."""
    return model(x).gather(1, unit[:, None])[:, 0]


def input_gradient(
    model: nn.Module, x: Float[Tensor, "batch *axes"], unit: Int[Tensor, " batch"]
) -> Float[Tensor, "batch *axes"]:
    """The gradient of each row's score with respect to the row, in evaluation mode; zeros where there is none."""
    with still(model):
        asked = x.detach().clone().requires_grad_()
        # a copy: a network may begin with something in place, which a leaf does not allow
        total = scores(model, asked.clone(), unit).sum()
        if not total.requires_grad:
            return torch.zeros_like(x)
        (gradient,) = torch.autograd.grad(total, asked, materialize_grads=True)
    return gradient


def saliency(
    model: nn.Module, x: Float[Tensor, "batch channel *places"], unit: Int[Tensor, " batch"]
) -> Float[Tensor, "batch *places"]:
    """The largest absolute gradient over the channels of each place.

    Paper: Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034, section 3.
    """
    return input_gradient(model, x, unit).abs().amax(1)
