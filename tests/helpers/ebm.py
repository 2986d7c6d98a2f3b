"""Energy-based model sampled by Langevin dynamics (Du & Mordatch 2019, arXiv:1903.08689)."""

from typing import Protocol

import torch
from torch import nn

from dlcli.core.task import Loss
from helpers.ring import perceptron


class EBM(nn.Module):
    """Density proportional to exp(-energy(x)); samples follow the gradient of the energy, also while it is scored.

    Args:
        hidden: width of the two hidden layers.
        steps_per_sample: Langevin steps of `sample`.
        step_size: of the gradient; the noise has standard deviation `noise`.
        noise: standard deviation of the noise of a step.
    """

    def __init__(self, spec, *, hidden, steps_per_sample, step_size, noise):
        super().__init__()
        self.width = spec.inputs[0].width
        self.steps_per_sample, self.step_size, self.noise = steps_per_sample, step_size, noise
        self.energy = perceptron(self.width, hidden, hidden, 1)

    def sample(self, n, rng):
        return self.langevin(4 * torch.rand(n, self.width, generator=rng) - 2, self.steps_per_sample, rng)

    def langevin(self, x, steps, rng=None):
        """Points after `steps` of x <- x - step_size * dE/dx + noise, detached; gradients are enabled inside."""
        for _ in range(steps):
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                (slope,) = torch.autograd.grad(self.energy(x).sum(), x)
            x = x.detach() - self.step_size * slope + self.noise * torch.randn(x.shape, generator=rng)
        return x.detach()


class Energy(Protocol):
    energy: nn.Module
    langevin: object


class Contrast(nn.Module):
    """Energy of data minus energy of samples from persistent chains, with a penalty on the squares of both.

    Args:
        chains: number of chains, which are saved with the learner.
        steps: Langevin steps of an update.
        restart: probability that a chain restarts from uniform noise.
        penalty: weight of the squared energies.
    """

    needs = Energy

    def __init__(self, task, *, chains, steps, restart, penalty):
        super().__init__()
        self.steps, self.restart, self.penalty = steps, restart, penalty
        self.register_buffer("chains", 4 * torch.rand(chains, task.spec.inputs[0].width) - 2)

    def forward(self, model, batch, carry=None):
        fresh = 4 * torch.rand_like(self.chains) - 2
        restarts = torch.rand(len(fresh), 1) < self.restart
        self.chains = model.langevin(torch.where(restarts, fresh, self.chains), self.steps)
        real, fake = model.energy(batch.inputs[0]), model.energy(self.chains)
        value = real.mean() - fake.mean() + self.penalty * (real.square().mean() + fake.square().mean())
        return Loss(value, {"gap": (fake.mean() - real.mean()).detach()}, float(len(batch)))
