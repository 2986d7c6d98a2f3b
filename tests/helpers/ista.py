"""Sparse coding: data with a known dictionary, and ISTA, which has no parameters."""

import torch
from torch import nn

from dlcli.core.rng import generator
from dlcli.core.spec import Real, Spec
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.regression import Regression


class SparseCodes(InMemoryTask):
    """Recover sparse codes x from y = D x; `spec.given` has the dictionary D [observation, code].

    Args:
        train, valid, test: samples of each split.
        batch: rows of a training batch.
        order: seed of the shuffling.
    """

    def __init__(self, *, train: int, valid: int, test: int, batch: int, order: int) -> None:
        dictionary = torch.randn(10, 20, generator=generator(1))
        dictionary /= dictionary.norm(dim=0)
        splits = {}
        for number, (name, count) in enumerate({"train": train, "valid": valid, "test": test}.items()):
            rng = generator(2, number)
            codes = torch.randn(count, 20, generator=rng) * (torch.rand(count, 20, generator=rng) < 0.1)
            splits[name] = TensorSamples((codes @ dictionary.T,), codes)
        spec = Spec((Real((10,)),), Real((20,)), {"dictionary": dictionary})
        super().__init__(splits, spec, Regression(), batch=batch, order=order)


class ISTA(nn.Module):
    """Iterative shrinkage-thresholding for min 0.5 |y - D x|^2 + penalty |x|_1 (Daubechies et al. 2004).

    Args:
        spec: one Real input (observation,); `given` has the dictionary.
        steps: iterations.
        penalty: weight of the L1 norm.
    """

    def __init__(self, spec: Spec, *, steps: int, penalty: float) -> None:
        super().__init__()
        self.register_buffer("dictionary", spec.given["dictionary"].clone())
        self.steps, self.penalty = steps, penalty

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        size = 1 / torch.linalg.matrix_norm(self.dictionary, 2) ** 2
        x = y.new_zeros(len(y), self.dictionary.shape[1])
        for _ in range(self.steps):
            x = x - size * (x @ self.dictionary.T - y) @ self.dictionary
            x = x.sign() * (x.abs() - size * self.penalty).clamp(min=0)
        return x
