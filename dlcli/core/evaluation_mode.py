"""Temporary evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model in evaluation mode under `no_grad`; each of its modules gets its mode back.

    Not `inference_mode`: a model that samples by its own gradient (an energy-based model) enables gradients inside,
    which tensors created in inference mode do not allow.
    """
    with _scoring(model), torch.no_grad():
        yield


@contextmanager
def still(model: nn.Module) -> Iterator[None]:
    """With the model in evaluation mode and gradients of what goes in alone; modes and parameters as before after."""
    moved = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in moved:
            parameter.requires_grad_(False)
        with _scoring(model), torch.enable_grad():
            yield
    finally:
        for parameter in moved:
            parameter.requires_grad_(True)


@contextmanager
def _scoring(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
