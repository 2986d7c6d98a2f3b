"""Generative adversarial network (Goodfellow et al. 2014, arXiv:1406.2661), non-saturating loss."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.task import Loss
from helpers.ring import perceptron


class GAN(nn.Module):
    """A generator of points from Gaussian noise, and a critic that outputs the logit of "real".

    Args:
        hidden: width of the two hidden layers of either network.
        noise: length of the noise vector.
    """

    def __init__(self, spec, *, hidden, noise):
        super().__init__()
        width = spec.inputs[0].width
        self.noise = noise
        self.generator = perceptron(noise, hidden, hidden, width)
        self.critic = perceptron(width, hidden, hidden, 1)

    def sample(self, n, rng):
        return self.generator(torch.randn(n, self.noise, generator=rng))


class Adversarial(Protocol):
    generator: nn.Module
    critic: nn.Module
    noise: int


class Discriminate:
    """Binary cross-entropy of the critic on data and on generated points."""

    needs = Adversarial

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        (real,) = batch.inputs
        fake = model.generator(torch.randn(len(batch), model.noise)).detach()
        value = F.softplus(-model.critic(real)).mean() + F.softplus(model.critic(fake)).mean()
        return Loss(value, {}, float(len(batch)))


class Generate:
    """Minus the critic's log-probability that generated points are real."""

    needs = Adversarial

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        fake = model.generator(torch.randn(len(batch), model.noise))
        return Loss(F.softplus(-model.critic(fake)).mean(), {}, float(len(batch)))
