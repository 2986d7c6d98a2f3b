"""How the weights of a network are drawn: parts that models take."""

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.errors import UsageError


@runtime_checkable
class Initializer(Protocol):
    """Draws the weights of a network's layers, in place."""

    def __call__(self, network: nn.Module) -> None: ...


class HeInitializer:
    """Normal with variance 2 / inputs, which keeps the size of a signal through rectifiers; biases 0.

    Paper: He et al. 2015, arXiv:1502.01852, section 2.2, equation 10. Differs: nothing.
    """

    def __call__(self, network: nn.Module) -> None:
        for weight, bias in _layers(network):
            nn.init.normal_(weight, 0.0, math.sqrt(2 / weight[0].numel()))
            _no_bias(bias)


class GaussianInitializer:
    """Normal of one width for all layers, whatever their size; biases 0.

    A deep network without normalisation passes on nothing when it is small: each layer shrinks the signal.

    Args:
        deviation: standard deviation, above 0.
    """

    def __init__(self, *, deviation: float) -> None:
        if not deviation > 0:
            raise UsageError(f"deviation of initial weights is above 0, not {deviation}")
        self.deviation = deviation

    def __call__(self, network: nn.Module) -> None:
        for weight, bias in _layers(network):
            nn.init.normal_(weight, 0.0, self.deviation)
            _no_bias(bias)


class DefaultInitializer:
    """As PyTorch's layers draw themselves: uniform, of variance 1 / (3 inputs), weights and biases."""

    def __call__(self, network: nn.Module) -> None:
        pass


def _layers(network: nn.Module) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Weight and bias of every layer that has a weight for each input."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            yield layer.weight, layer.bias


def _no_bias(bias: Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
