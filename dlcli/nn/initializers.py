"""Weight initializers: parts that models take as hyper-parameters."""

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from dlcli.core.errors import UsageError


@runtime_checkable
class Initializer(Protocol):
    """Initialize the weights of all layers of a network in place."""

    def __call__(self, network: nn.Module) -> None: ...


class HeInitializer:
    """He initialization: N(0, 2 / fan_in), which preserves the variance of activations through ReLUs; biases 0.

    Paper: He et al. 2015, arXiv:1502.01852, section 2.2, equation 10. Differs: nothing.
    """

    def __call__(self, network: nn.Module) -> None:
        for weight, bias in _layers(network):
            nn.init.normal_(weight, 0.0, math.sqrt(2 / weight[0].numel()))
            _zero(bias)


class GaussianInitializer:
    """N(0, deviation^2) for all layers, independent of their size; biases 0.

    With a small deviation the signal vanishes in a deep network without normalization: each layer shrinks it.

    Args:
        deviation: standard deviation, greater than 0.

    Raises:
        UsageError: `deviation` is not greater than 0.
    """

    def __init__(self, *, deviation: float) -> None:
        if not deviation > 0:
            raise UsageError("invalid_value", key="initial.deviation", must="greater than 0", got=deviation)
        self.deviation = deviation

    def __call__(self, network: nn.Module) -> None:
        for weight, bias in _layers(network):
            nn.init.normal_(weight, 0.0, self.deviation)
            _zero(bias)


class DefaultInitializer:
    """PyTorch's default initialization: uniform with variance 1 / (3 fan_in) for weights and biases."""

    def __call__(self, network: nn.Module) -> None:
        pass


def _layers(network: nn.Module) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Weight and bias of every linear and convolutional layer."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            yield layer.weight, layer.bias


def _zero(bias: Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
