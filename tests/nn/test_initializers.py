"""Weight initializers: variance of the weights."""

import math

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.nn.initializers import DefaultInitializer, GaussianInitializer, HeInitializer


def drawn(initial):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(8, 200, 3), nn.BatchNorm2d(200), nn.ReLU(), nn.Linear(400, 300, bias=False))
    before = [one.clone() for one in network.parameters()]
    initial(network)
    return network, before


@pytest.mark.parametrize(
    ("initial", "widths"), [(HeInitializer(), (72, 400)), (GaussianInitializer(deviation=0.3), None)]
)
def test_initializers_weight_deviation(initial, widths):
    network, before = drawn(initial)
    for number, layer in enumerate((network[0], network[3])):
        wanted = math.sqrt(2 / widths[number]) if widths else 0.3
        assert layer.weight.std().item() == pytest.approx(wanted, rel=0.02)
        assert abs(layer.weight.mean().item()) < 0.02 * wanted
    assert network[0].bias.eq(0).all()
    assert torch.equal(network[1].weight, before[2])  # norms keep theirs


def test_default_initializer_leaves_weights_unchanged():
    network, before = drawn(DefaultInitializer())
    assert all(torch.equal(one, old) for one, old in zip(network.parameters(), before, strict=True))


def test_gaussian_initializer_rejects_zero_deviation():
    with pytest.raises(UsageError) as raised:
        GaussianInitializer(deviation=0.0)
    assert raised.value.fields["key"] == "initial.deviation"
