"""Context managers that put a model into evaluation mode temporarily."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode under `no_grad`; restore the mode of each module on exit.

    `inference_mode` is not used: a model that samples by its own gradient (an energy-based model) enables gradients in
    its forward pass, which tensors created in inference mode do not allow.
    """
    with _eval_mode(model), torch.no_grad():
        yield


@contextmanager
def input_gradients(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode with gradients of its inputs only; restore modes and parameters on exit."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in trainable:
            parameter.requires_grad_(False)
        with _eval_mode(model), torch.enable_grad():
            yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
