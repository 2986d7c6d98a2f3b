"""Dropout of weights instead of values."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dlcli.nn.stochastic.dropout import dropout_mask


@contextmanager
def masked_weights(modules: Sequence[nn.Module], rate: float) -> Iterator[None]:
    """With weights zeroed by one mask, the others scaled up; biases stay. Afterwards all is as it was.

    Gradients reach the weights through the mask.

    Args:
        modules: whose weights, with those of the modules that they are made of.
        rate: probability in [0, 1] that a weight is zeroed.
    """
    with ExitStack() as stack:
        for module in modules:
            for part in _parts(module):
                if part.training:
                    stack.enter_context(_weights(part, rate))
        yield


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    """The module and what it is made of, but for where a parametrised weight comes from."""
    yield module
    for name, child in module.named_children():
        if name != "parametrizations":
            yield from _parts(child)


@contextmanager
def _weights(module: nn.Module, rate: float) -> Iterator[None]:
    own = {name: value for name, value in module._parameters.items() if value is not None and value.dim() > 1}
    with _computed(module, rate):
        try:
            for name, weight in own.items():
                _put(module, name, weight * dropout_mask(weight, weight.shape, rate))
            yield
        finally:
            for name, weight in own.items():
                _put(module, name, weight)


def _put(module: nn.Module, name: str, weight: Tensor) -> None:
    module._parameters[name] = weight  # type: ignore[assignment] # as torch.func.functional_call does
    if isinstance(module, nn.RNNBase):  # its kernel reads a list
        place = module._flat_weights_names.index(name)
        module._flat_weights[place] = weight


@contextmanager
def _computed(module: nn.Module, rate: float) -> Iterator[None]:
    """The same of weights that are computed from others, as weight normalisation does: one more step at the end."""
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
    """The last step of a computed weight: one mask, however often the weight is asked for."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.drawn: Tensor | None = None

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() < 2:
            return weight
        if self.drawn is None:
            self.drawn = dropout_mask(weight, weight.shape, self.rate)
        return weight * self.drawn


def per_sample_linear(
    linear: nn.Linear, x: Float[Tensor, "batch *positions channel"], rate: float
) -> Float[Tensor, "batch *positions unit"]:
    """What a linear layer answers when every sample has a mask of its own; the masks take batch x unit x channel."""
    weight = linear.weight * dropout_mask(linear.weight, (len(x), *linear.weight.shape), rate)
    answer = (x.reshape(len(x), -1, x.shape[-1]) @ weight.mT).reshape(*x.shape[:-1], -1)
    return answer if linear.bias is None else answer + linear.bias
