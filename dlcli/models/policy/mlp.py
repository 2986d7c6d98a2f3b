"""Multilayer perceptron."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlcli.core.population import Stacked
from dlcli.core.spec import Spec
from dlcli.nn.checks import each_at_least
from dlcli.nn.shapes import flat_width

_ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "tanh": (torch.tanh, torch.tanh_),
    "relu": (torch.relu, torch.relu_),
}


class MLP(nn.Module):
    """Multilayer perceptron on flattened real inputs, with a batched forward pass for populations.

    Args:
        spec: one Real input of any shape; target of one position.
        hidden: units of each hidden layer; empty for a linear model.
        activation: after each hidden layer, "tanh" or "relu".

    Raises:
        UsageError: a width is smaller than 1.
        Mismatch: the input is not real-valued and of known size, or the target has several positions.
    """

    def __init__(self, spec: Spec, *, hidden: Sequence[int], activation: Literal["tanh", "relu"]) -> None:
        super().__init__()
        each_at_least(1, "hidden", hidden)
        widths = [flat_width(spec, "MLP"), *hidden, spec.target.width]
        self.layers = nn.ModuleList(nn.Linear(*ends) for ends in pairwise(widths))
        self._names = [(f"layers.{depth}.weight", f"layers.{depth}.bias") for depth in range(len(self.layers))]
        self._activate, self._activate_in_place = _ACTIVATIONS[activation]

    def forward(self, x: Float[Tensor, "batch *shape"]) -> Float[Tensor, "batch unit"]:
        *hidden, last = self.layers
        x = x.flatten(1)
        for layer in hidden:
            x = self._activate(layer(x))
        return last(x)

    def batched_forward(self, parameters: Stacked, x: Tensor) -> Tensor:
        """Forward pass of a population: [individual, row, *input] to [individual, row, unit]."""
        x = x.flatten(2)
        for depth, (weight, bias) in enumerate(self._names):
            if depth:
                x = self._activate_in_place(x)
            x = torch.baddbmm(parameters[bias].unsqueeze(1), x, parameters[weight].mT)
        return x
