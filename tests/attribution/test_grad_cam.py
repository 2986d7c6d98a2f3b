"""Grad-CAM: localization of a planted patch, hooks."""

import pytest
import torch
from torch import nn

from dlcli.attribution.grad_cam import activation_and_gradient, called_convolutions, grad_cam, record_outputs, upsample

UNIT = torch.tensor([0, 1])


def hooks(network):
    return sum(len(module._forward_hooks) + len(module._backward_hooks) for module in network.modules())


def cnn(in_place=False):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(in_place), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(in_place),
        nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 6, 1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip


def images(rows=2):
    return torch.rand(rows, 1, 8, 8, generator=torch.Generator().manual_seed(1))


class Bright(nn.Module):
    """Class 1 is how much light there is, class 0 how much darkness."""

    def __init__(self):
        super().__init__()
        self.look = nn.Conv2d(1, 2, 3, padding=1, bias=False)
        self.look.weight.data = torch.stack((-torch.ones(1, 3, 3), torch.ones(1, 3, 3)))

    def forward(self, x):
        return self.look(x).relu().mean((2, 3))


def test_grad_cam_localizes_planted_patch():
    x = torch.full((2, 1, 12, 12), -0.01)
    x[0, :, 1:4, 2:5] = x[1, :, 7:10, 8:11] = 1.0
    network = Bright()
    heat = grad_cam(*activation_and_gradient(network, x, torch.tensor([1, 1]), network.look))
    inside = torch.stack((heat[0, 0:5, 1:6].sum(), heat[1, 6:11, 7:12].sum()))
    torch.testing.assert_close(inside, heat.flatten(1).sum(1))
    assert heat[0].argmax() == 2 * 12 + 3


def test_grad_cam_matches_hand_computation():
    value, gradient = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    wanted = torch.stack(
        [sum(gradient[row, k].mean() * value[row, k] for k in range(3)).clamp(min=0) for row in range(2)]
    )
    torch.testing.assert_close(grad_cam(value, gradient), wanted)


def test_record_outputs_is_unaffected_by_in_place_layers():
    plain, in_place = (
        activation_and_gradient(network, images(), UNIT, network[2]) for network in (cnn(), cnn(in_place=True))
    )
    assert torch.equal(plain[0], in_place[0])
    assert (plain[0] < 0).any()
    assert torch.equal(plain[1], in_place[1])


def test_activation_and_gradient_matches_autograd():
    network = cnn()
    value, gradient = activation_and_gradient(network, images(), UNIT, network[2])
    wanted = value.clone().requires_grad_()
    network[3:](wanted).gather(1, UNIT[:, None]).sum().backward()
    torch.testing.assert_close(gradient, wanted.grad)


def test_called_convolutions_are_in_call_order():
    class Crossed(nn.Module):
        def __init__(self):
            super().__init__()
            self.late, self.early, self.never = (nn.Conv2d(1, 1, 1) for _ in range(3))

        def forward(self, x):
            return self.late(self.early(self.late(x))).flatten(1)

    assert called_convolutions(Crossed(), images()) == ["early", "late"]
    assert called_convolutions(nn.Linear(8, 2), images()) == []


def test_activation_and_gradient_is_none_without_a_map():
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.look, self.aside = nn.Conv2d(1, 3, 3), nn.Conv2d(1, 3, 3)

        def forward(self, x):
            self.aside(x)
            return self.look(x).mean((2, 3))

    network, aside = cnn(), Aside()
    for part in (network[5], network[7], nn.Conv2d(1, 1, 1)):  # one place, no places, not called
        assert activation_and_gradient(network, images(), UNIT, part) is None
    assert activation_and_gradient(aside, images(), UNIT, aside.aside) is None
    assert activation_and_gradient(aside, images(), UNIT, aside.look) is not None


def test_record_outputs_removes_hooks_after_exceptions():
    class Broken(nn.Module):
        def forward(self, x):
            raise RuntimeError("on purpose")

    network = cnn()
    activation_and_gradient(network, images(), UNIT, network[2])
    called_convolutions(network, images())
    assert hooks(network) == 0
    network[4] = Broken()
    network.train()
    for look in (
        lambda: activation_and_gradient(network, images(), UNIT, network[2]),
        lambda: called_convolutions(network, images()),
    ):
        with pytest.raises(RuntimeError, match="on purpose"):
            look()
    assert hooks(network) == 0
    assert all(module.training for module in network.modules())
    assert all(one.requires_grad for one in network.parameters())
    with pytest.raises(ZeroDivisionError), record_outputs({"": network}, lambda name, output: None):
        1 / 0  # noqa: B018
    assert hooks(network) == 0


def test_activation_and_gradient_unfolds_frames():
    class Frames(nn.Module):
        def __init__(self):
            super().__init__()
            self.look = nn.Conv2d(1, 4, 3)

        def forward(self, x):
            frames = self.look(x.transpose(1, 2).flatten(0, 1))
            return frames.unflatten(0, (len(x), -1)).mean((1, 3, 4))

    network, video = Frames(), torch.rand(2, 1, 5, 8, 8)
    value, gradient = activation_and_gradient(network, video, UNIT, network.look)
    assert value.shape == gradient.shape == (2, 4, 5, 6, 6)
    torch.testing.assert_close(value[1, :, 3], network.look(video[1, :, 3]))
    assert upsample(grad_cam(value, gradient), (5, 8, 8)).shape == (2, 5, 8, 8)


def test_upsample_preserves_constant_maps_and_center():
    assert torch.equal(upsample(torch.ones(1, 4, 4), (8, 8)), torch.ones(1, 8, 8))
    heat = torch.zeros(1, 3, 3)
    heat[0, 1, 1] = 1.0
    larger = upsample(heat, (9, 9))
    assert larger[0].argmax() == 40
    torch.testing.assert_close(larger, larger.flip(1, 2))
