"""Input gradients and saliency."""

import torch
from torch import nn

from dlcli.attribution.gradients import input_gradient, saliency


def images(rows=5, channels=1, side=6):
    return torch.rand(rows, channels, side, side, generator=torch.Generator().manual_seed(1))


def in_place(channels=1):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.ReLU(inplace=True), nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        nn.Dropout(0.5, inplace=True), nn.Flatten(), nn.Linear(144, 3),
    )  # fmt: skip


def test_input_gradient_of_linear_network_is_its_weights():
    network = nn.Sequential(nn.Flatten(), nn.Linear(72, 3))
    unit = torch.tensor([2, 0, 1, 1, 0])
    gradient = input_gradient(network, images(channels=2), unit)
    torch.testing.assert_close(gradient.flatten(1), network[1].weight[unit])
    wanted = network[1].weight[unit].view(5, 2, 6, 6).abs().amax(1)
    torch.testing.assert_close(saliency(network, images(channels=2), unit), wanted)


def test_input_gradient_matches_finite_differences():
    network, x, unit = in_place().double().eval(), images().double(), torch.tensor([0, 1, 2, 0, 1])
    direction, step = torch.randn_like(x), 1e-6
    ahead, behind = (network((x + sign * step * direction).clone()) for sign in (1, -1))
    slope = ((ahead - behind) / (2 * step)).gather(1, unit[:, None])[:, 0]
    found = (input_gradient(network, x, unit) * direction).flatten(1).sum(1)
    torch.testing.assert_close(found, slope, atol=1e-6, rtol=1e-5)


def test_saliency_leaves_network_and_inputs_unchanged():
    network, x = in_place(), images()
    before, state = x.clone(), {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    network[1].weight.requires_grad_(False)
    first = saliency(network, x, torch.zeros(5, dtype=torch.int64))
    assert torch.equal(first, saliency(network, x, torch.zeros(5, dtype=torch.int64)))  # no dropout
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert [name for name, one in network.named_parameters() if not one.requires_grad] == ["1.weight"]
    assert all(one.grad is None for one in network.parameters())


def test_saliency_is_zero_for_constant_scores():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones(len(x), 3)

    assert not saliency(Constant(), images(), torch.zeros(5, dtype=torch.int64)).any()
