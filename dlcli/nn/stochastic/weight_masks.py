"""DropConnect: dropout of weights."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dlcli.nn.stochastic.dropout import dropout_mask


@contextmanager
def masked_weights(modules: Sequence[nn.Module], rate: float) -> Iterator[None]:
    """Context in which the weights of modules are multiplied by one dropout mask; biases are not masked.

    Gradients reach the weights through the mask. The weights are restored on exit.

    Args:
        modules: modules in training mode whose weights, including those of submodules, are masked.
        rate: probability in [0, 1] that a weight is zeroed.
    """
    with ExitStack() as stack:
        for module in modules:
            for part in _parts(module):
                if part.training:
                    stack.enter_context(_weights(part, rate))
        yield


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """The module and its submodules, except the parametrizations of computed weights."""
    yield module
    for name, child in module.named_children():
        if name != "parametrizations":
            yield from _parts(child)


@contextmanager
def _weights(module: nn.Module, rate: float) -> Iterator[None]:
    weights = {name: value for name, value in module._parameters.items() if value is not None and value.dim() > 1}
    with _computed(module, rate):
        try:
            for name, weight in weights.items():
                _put(module, name, weight * dropout_mask(weight, weight.shape, rate))
            yield
        finally:
            for name, weight in weights.items():
                _put(module, name, weight)


def _put(module: nn.Module, name: str, weight: Tensor) -> None:
    module._parameters[name] = weight  # type: ignore[assignment] # as torch.func.functional_call does
    if isinstance(module, nn.RNNBase):  # the kernel reads a list of flat weights
        index = module._flat_weights_names.index(name)
        module._flat_weights[index] = weight


@contextmanager
def _computed(module: nn.Module, rate: float) -> Iterator[None]:
    """Mask weights that are computed by a parametrization, as in weight normalization, after their computation."""
    computed: Any = module.parametrizations if parametrize.is_parametrized(module) else {}
    chains = [*computed.values()]
    for chain in chains:
        chain.append(_Mask(rate))
    try:
        yield
    finally:
        for chain in chains:
            del chain[-1]


class _Mask(nn.Module):
    """Final parametrization of a computed weight: one mask for all evaluations."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.mask: Tensor | None = None

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() < 2:
            return weight
        if self.mask is None:
            self.mask = dropout_mask(weight, weight.shape, self.rate)
        return weight * self.mask


def per_sample_linear(
    linear: nn.Linear, x: Float[Tensor, "batch *positions channel"], rate: float
) -> Float[Tensor, "batch *positions unit"]:
    """Output of a linear layer with one weight mask per sample; memory batch x unit x channel."""
    weight = linear.weight * dropout_mask(linear.weight, (len(x), *linear.weight.shape), rate)
    output = (x.reshape(len(x), -1, x.shape[-1]) @ weight.mT).reshape(*x.shape[:-1], -1)
    return output if linear.bias is None else output + linear.bias
