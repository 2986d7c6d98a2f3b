"""Adversarial autoencoder (Makhzani et al. 2015, arXiv:1511.05644, section 2), deterministic encoder."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.task import Loss
from helpers.ring import perceptron


class AAE(nn.Module):
    """Encoder, decoder, and a discriminator of codes that outputs the logit of "drawn from the prior N(0, I)".

    Args:
        hidden: width of the two hidden layers of each network.
        code: length of the code.
    """

    def __init__(self, spec, *, hidden, code):
        super().__init__()
        width = spec.inputs[0].width
        self.code = code
        self.encoder = perceptron(width, hidden, hidden, code)
        self.decoder = perceptron(code, hidden, hidden, width)
        self.discriminator = perceptron(code, hidden, hidden, 1)

    def forward(self, x):
        return self.decoder(self.encoder(x))

    def sample(self, n, rng):
        return self.decoder(torch.randn(n, self.code, generator=rng))


class Autoencoder(Protocol):
    encoder: nn.Module
    decoder: nn.Module
    discriminator: nn.Module
    code: int


class Reconstruct:
    """Mean squared error of the reconstruction."""

    needs = Autoencoder

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        (x,) = batch.inputs
        return Loss(F.mse_loss(model(x), x), {}, float(len(batch)))


class DiscriminateCodes:
    """Binary cross-entropy of the discriminator on the prior and on codes."""

    needs = Autoencoder

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        code = model.encoder(batch.inputs[0]).detach()
        prior = torch.randn_like(code)
        value = F.softplus(-model.discriminator(prior)).mean() + F.softplus(model.discriminator(code)).mean()
        return Loss(value, {}, float(len(batch)))


class MatchPrior:
    """Minus the discriminator's log-probability that codes are drawn from the prior; it moves the encoder."""

    needs = Autoencoder

    def __init__(self, task):
        pass

    def __call__(self, model, batch, carry=None):
        value = F.softplus(-model.discriminator(model.encoder(batch.inputs[0]))).mean()
        return Loss(value, {}, float(len(batch)))
