"""Integrated gradients: closed forms and completeness."""

import pytest
import torch
from torch import nn

from dlcli.attribution.integrated import complete_attribution, integrated_gradients

UNIT = torch.tensor([0, 1, 2, 1])
X = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def cnn():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(32, 3),
    )  # fmt: skip


@pytest.mark.parametrize("steps", [1, 7])
def test_integrated_gradients_of_linear_network(steps):
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    found = integrated_gradients(network, X, UNIT, steps=steps)
    torch.testing.assert_close(found.values.flatten(1), network[1].weight[UNIT] * X.flatten(1))
    assert found.incompleteness < 1e-5


def test_integrated_gradients_of_square():
    class Squares(nn.Module):
        def forward(self, x):
            return x.square().flatten(1)[:, :3] * torch.tensor([1.0, 2.0, 3.0])

    found = integrated_gradients(Squares(), X, UNIT, steps=4).values.flatten(1)
    wanted = torch.zeros_like(found)
    wanted[range(4), UNIT] = X.flatten(1)[range(4), UNIT].square() * (UNIT + 1)
    torch.testing.assert_close(found, wanted)  # a straight gradient is averaged exactly


def test_integrated_gradients_are_complete():
    found = complete_attribution(cnn(), X, UNIT, share=0.01, most=1024)
    scores = cnn()(X).gather(1, UNIT[:, None])[:, 0] - cnn()(torch.zeros_like(X)).gather(1, UNIT[:, None])[:, 0]
    torch.testing.assert_close(found.difference, scores)
    assert found.incompleteness < 0.01
    torch.testing.assert_close(found.values.flatten(1).sum(1), scores, atol=0.01 * scores.abs().sum().item(), rtol=0.0)


def test_complete_attribution_doubles_steps():
    network = cnn()
    share = integrated_gradients(network, X, UNIT, steps=32).incompleteness
    assert complete_attribution(network, X, UNIT, share=2 * share, most=1024).steps == 32
    assert complete_attribution(network, X, UNIT, share=0.0, most=100).steps == 100


def test_integrated_gradients_are_independent_of_chunk_size():
    network = cnn()
    together = integrated_gradients(network, X, UNIT, steps=300)  # in three parts of 128 steps at most
    alone = torch.cat([integrated_gradients(network, X[[i]], UNIT[[i]], steps=300).values for i in range(4)])
    torch.testing.assert_close(together.values, alone, atol=1e-6, rtol=1e-4)
