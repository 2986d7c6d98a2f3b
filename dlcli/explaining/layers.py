"""What the parts of a network answer, seen from outside: by hooks, which are always taken off again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlcli.core.modes import still
from dlcli.attribution.gradients import scores

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@contextmanager
def record_outputs(parts: Mapping[str, nn.Module], hear: Callable[[str, Tensor], None]) -> Iterator[None]:
    """While this lasts, `hear` is told the tensors that parts answer, by name in the order of the calls.

    The network goes on with copies: what comes after may write into them (`nn.ReLU(inplace=True)`).
    """

    def hook(name: str) -> Callable[..., Tensor | None]:
        def told(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
            if not isinstance(output, Tensor):
                return None
            hear(name, output)
            return output.clone()

        return told

    handles = [part.register_forward_hook(hook(name)) for name, part in parts.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def called_convolutions(model: nn.Module, x: Float[Tensor, "batch channel *places"]) -> list[str]:
    """Names of the convolutions that are used, in the order of their (last) calls."""
    parts = {name: part for name, part in model.named_modules() if isinstance(part, _CONVOLUTIONS)}
    called: list[str] = []
    with still(model), record_outputs(parts, lambda name, output: called.append(name)):
        model(x[:1].clone())
    return list(dict.fromkeys(reversed(called)))[::-1]


def activation_and_gradient(
    model: nn.Module, x: Float[Tensor, "batch channel *places"], unit: Int[Tensor, " batch"], part: nn.Module
) -> tuple[Tensor, Tensor] | None:
    """What a part answers, and the gradient of the scores with respect to it, both [batch, channel, *places].

    None where it is no map with several places, or the scores do not depend on it. Of several calls the last counts;
    frames that went through side by side are put in order again.
    """
    heard: list[Tensor] = []
    with still(model), record_outputs({"part": part}, lambda name, output: heard.append(output)):
        asked = x.detach().clone().requires_grad_()
        score = scores(model, asked.clone(), unit).sum()
        if not heard or not heard[-1].requires_grad or not score.requires_grad:
            return None
        (gradient,) = torch.autograd.grad(score, heard[-1], allow_unused=True)
    if gradient is None:
        return None
    value, gradient = (_in_order(one, x) for one in (heard[-1].detach(), gradient))
    return (value, gradient) if _is_map(value, x) else None


def _in_order(value: Tensor, x: Tensor) -> Tensor:
    """[batch * time, channel, height, width] of a film as [batch, channel, time, height, width]."""
    if x.dim() == 5 and value.dim() == 4 and len(value) % len(x) == 0:
        return value.unflatten(0, (len(x), -1)).transpose(1, 2)
    return value


def _is_map(value: Tensor, x: Tensor) -> bool:
    return value.dim() == x.dim() and len(value) == len(x) and value[0, 0].numel() > 1
