"""Draw samples from a generative model."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.core.rng import hash_integers, reseed

_DRAWING = 0xD8A3  # random stream of sampling, independent of those of training and evaluation


@runtime_checkable
class Sampler(Protocol):
    """A generative model."""

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw `n` samples [n, *shape].

        Called in evaluation mode under `no_grad`; a model that needs gradients enables them (`torch.enable_grad`).

        Args:
            n: number of samples.
            rng: generator of all random draws, on the device of the model.
        """


def draw(model: nn.Module, n: int, seed: int) -> Tensor:
    """Draw `n` samples [n, *shape], a function of weights and seed; modes and global random states are restored.

    Raises:
        UsageError: `n` is below 1.
        Mismatch: the model is not a `Sampler`, or does not return a tensor of `n` samples.
    """
    name = type(model).__name__
    if n < 1:
        raise UsageError("invalid_value", key="--draw", must="at least 1", got=n)
    if not isinstance(model, Sampler):
        hint = "Generative models implement sample(n, rng)."
        raise Mismatch("mismatch", subject="--draw", requirement="a generative model", got=name, hint=hint)
    device = next((value.device for value in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    rng = torch.Generator(device).manual_seed(hash_integers(seed, _DRAWING))
    with torch.random.fork_rng([device] if device.type == "cuda" else []), evaluation_mode(model):
        reseed(device, seed, _DRAWING)  # for layers that do not use `rng`, such as dropout
        samples = model.sample(n, rng)
    if not isinstance(samples, Tensor) or samples.dim() == 0 or len(samples) != n:
        got = tuple(samples.shape) if isinstance(samples, Tensor) else type(samples).__name__
        raise Mismatch("mismatch", subject=f"{name}.sample", requirement=f"a tensor [{n}, ...]", got=got)
    return samples.detach()
