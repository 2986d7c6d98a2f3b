"""Grad-CAM: class activation maps of convolutional layers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.attribution.gradients import scores
from dlcli.core.evaluation_mode import input_gradients

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def grad_cam(
    value: Float[Tensor, "batch channel *positions"], gradient: Float[Tensor, "batch channel *positions"]
) -> Float[Tensor, "batch *positions"]:
    """Grad-CAM: positive part of the activation channels, each weighted by its mean gradient.

    Paper: Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2.
    """
    weight = gradient.flatten(2).mean(2).view(*gradient.shape[:2], *[1] * (gradient.dim() - 2))
    return (weight * value).sum(1).relu()


def upsample(heat: Float[Tensor, "batch *positions"], size: tuple[int, ...]) -> Float[Tensor, "batch *larger"]:
    """Linear interpolation of a map to the size of the input."""
    return F.interpolate(heat[:, None], size, mode=_MODES[len(size)], align_corners=False)[:, 0]


@contextmanager
def record_outputs(parts: Mapping[str, nn.Module], record: Callable[[str, Tensor], None]) -> Iterator[None]:
    """Context in which `record` receives the name and the output tensor of every call of the given modules.

    The network continues with a copy of each output, since later layers may overwrite it (`nn.ReLU(inplace=True)`).
    Hooks are removed on exit.
    """

    def hook(name: str) -> Callable[..., Tensor | None]:
        def forward_hook(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
            if not isinstance(output, Tensor):
                return None
            record(name, output)
            return output.clone()

        return forward_hook

    handles = [part.register_forward_hook(hook(name)) for name, part in parts.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def called_convolutions(model: nn.Module, x: Float[Tensor, "batch channel *positions"]) -> list[str]:
    """Names of the convolutions that a forward pass calls, in the order of their last calls."""
    parts = {name: part for name, part in model.named_modules() if isinstance(part, _CONVOLUTIONS)}
    called: list[str] = []
    with input_gradients(model), record_outputs(parts, lambda name, output: called.append(name)):
        model(x[:1].clone())
    return list(dict.fromkeys(reversed(called)))[::-1]


def activation_and_gradient(
    model: nn.Module, x: Float[Tensor, "batch channel *positions"], unit: Int[Tensor, " batch"], part: nn.Module
) -> tuple[Tensor, Tensor] | None:
    """Activation of a module and the gradient of the scores with respect to it, both [batch, channel, *positions].

    None if the output is not a map of several positions, or the scores do not depend on it. The last of several calls
    counts; frames that were processed as batch elements are unfolded.
    """
    outputs: list[Tensor] = []
    with input_gradients(model), record_outputs({"part": part}, lambda name, output: outputs.append(output)):
        score = scores(model, x.detach().clone().requires_grad_().clone(), unit).sum()
        if not outputs or not outputs[-1].requires_grad or not score.requires_grad:
            return None
        (gradient,) = torch.autograd.grad(score, outputs[-1], allow_unused=True)
    if gradient is None:
        return None
    value, gradient = (_unfold_frames(tensor, x) for tensor in (outputs[-1].detach(), gradient))
    return (value, gradient) if value.dim() == x.dim() and len(value) == len(x) and value[0, 0].numel() > 1 else None


def _unfold_frames(value: Tensor, x: Tensor) -> Tensor:
    """Reshape [batch * time, channel, height, width] of a video to [batch, channel, time, height, width]."""
    if x.dim() == 5 and value.dim() == 4 and len(value) % len(x) == 0:
        return value.unflatten(0, (len(x), -1)).transpose(1, 2)
    return value
