"""Evaluation mode, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode under `no_grad`, then restore the mode of each module.

    The model may enable gradients inside.
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
