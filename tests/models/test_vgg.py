"""VGG: parameter counts, image sizes, initialization."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.image.vgg import VGG
from dlcli.nn.initializers import DefaultInitializer, GaussianInitializer, HeInitializer
from dlcli.nn.stochastic.dropout import ElementDropout
from dlcli.tasks.image.embedded_digits import digit_splits

IMAGENET = Spec((Real((3, 224, 224)),), Classes(1000))
DIGITS = Spec((Real((1, 8, 8)),), Classes(10))
SMALL = {"pools": 2, "width": 2, "dense": [6]}


def vgg(spec=DIGITS, configuration="A", norm="none", dropout=0.5, initial=None, **changed):
    given = {
        **SMALL,
        **changed,
        "norm": norm,
        "dropout": ElementDropout(rate=dropout),
        "initializer": initial or HeInitializer(),
    }
    return VGG(spec, configuration=configuration, **given)


@pytest.mark.parametrize(
    ("configuration", "parameters", "layers"),
    [
        ("A", 132_863_336, 11),
        ("B", 133_047_848, 13),
        ("C", 133_638_952, 16),
        ("D", 138_357_544, 16),
        ("E", 143_667_240, 19),
    ],
)
def test_vgg_parameter_count_matches_paper(configuration, parameters, layers):
    with torch.device("meta"):
        network = vgg(IMAGENET, configuration, pools=5, width=64, dense=[4096, 4096])
        answer = network(torch.empty(2, 3, 224, 224))
    assert sum(one.numel() for one in network.parameters()) == parameters
    assert sum(isinstance(one, nn.Conv2d | nn.Linear) for one in network.modules()) == layers
    assert answer.shape == (2, 1000)


def test_vgg_batch_norm_parameter_count():
    with torch.device("meta"):
        network = vgg(IMAGENET, "B", pools=5, width=64, dense=[4096, 4096], norm="batch")
    assert sum(one.numel() for one in network.parameters()) == 133_053_736


def test_vgg_c_differs_from_d_by_1x1_convolutions():
    convolutions = [
        [one.kernel_size[0] for one in stage.modules() if isinstance(one, nn.Conv2d)]
        for stage in vgg(configuration="C").stages
    ]
    assert convolutions == [[3, 3], [3, 3], [3, 3, 1], [3, 3, 1], [3, 3, 1]]


@pytest.mark.parametrize("pools", [0, 1, 2, 3])
def test_vgg_pools_first_stages_only(pools):
    x, sizes = torch.rand(2, 1, 11, 8), []
    for stage in vgg(Spec((Real((1, 11, 8)),), Classes(4)), pools=pools).stages:
        x = stage(x)
        sizes.append(tuple(x.shape[2:]))
    halved = [(11 >> times, 8 >> times) for times in range(1, pools + 1)]
    assert sizes == halved + [(11 >> pools, 8 >> pools)] * (5 - pools)


def test_vgg_first_stage_matches_hand_computation():
    network = vgg()
    conv = network.stages[0][0]
    x = torch.rand(3, 1, 8, 8)
    padded = F.pad(x, (1, 1, 1, 1))
    by_hand = torch.stack([(padded[:, :, 2:5, 3:6] * weight).sum((1, 2, 3)) for weight in conv.weight], 1) + conv.bias
    torch.testing.assert_close(conv(x)[:, :, 2, 3], by_hand)
    torch.testing.assert_close(network.stages[0](x), F.max_pool2d(conv(x).relu(), 2))


def test_vgg_dropout_is_per_layer_and_in_training_only():
    network = vgg(dense=[60, 60])
    assert len({id(one) for one in network.modules() if isinstance(one, ElementDropout)}) == 2
    x = torch.rand(4, 1, 8, 8)
    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))


@pytest.mark.parametrize(
    ("error", "code", "fields", "changed"),
    [
        (
            Mismatch,
            "mismatch",
            {"subject": "VGG", "requirement": "an image that can be halved 4 times (this one: at most 3)"},
            {"pools": 4},
        ),
        (UsageError, "invalid_value", {"key": "model.pools", "got": 6}, {"pools": 6}),
        (UsageError, "invalid_value", {"key": "model.pools", "got": -1}, {"pools": -1}),
        (UsageError, "invalid_value", {"key": "model.width", "got": 0}, {"width": 0}),
        (UsageError, "invalid_value", {"key": "model.dense.1", "got": 0}, {"dense": [8, 0]}),
        (
            Mismatch,
            "mismatch",
            {"requirement": "one image (channel, height, width)"},
            {"spec": Spec((Real((1, 64)),), Classes(10))},
        ),
    ],
)
def test_vgg_rejects_invalid_input(error, code, fields, changed):
    with pytest.raises(error) as raised:
        vgg(**changed)
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()


def test_vgg_without_hidden_layers():
    network = vgg(dense=[], pools=3)
    assert network.answer.in_features == 16
    assert network(torch.rand(2, 1, 8, 8)).shape == (2, 10)


def reach(initial, norm="none"):
    """How large a signal of size 1 is after the convolutions of the deepest network."""
    torch.manual_seed(0)
    network = vgg(Spec((Real((1, 16, 16)),), Classes(10)), "E", norm=norm, pools=0, width=16, initial=initial)
    return network.stages(torch.randn(4, 1, 16, 16)).square().mean().sqrt().item()


def test_vgg_signal_survives_with_he_weights_or_batch_norm():
    assert 0.1 < reach(HeInitializer()) < 10
    assert 0.1 < reach(DefaultInitializer(), "batch") < 10
    assert reach(GaussianInitializer(deviation=0.01)) < 1e-12


def accuracy(norm, initial, epochs=6):
    """Of depth 16 at an eighth of the width, on digits enlarged to 32x32."""
    torch.manual_seed(0)
    data = {
        name: (F.interpolate(part.inputs[0], scale_factor=4.0), part.target)
        for name, part in digit_splits(1, 8, 8).items()
    }
    network = vgg(Spec((Real((1, 32, 32)),), Classes(10)), "D", norm, initial=initial, pools=5, width=8, dense=[64, 64])
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    images, target = data["train"]
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(images[rows]), target[rows]).backward()
            optimizer.step()
    images, target = data["valid"]
    with torch.no_grad():
        return (network.eval()(images).argmax(1) == target).float().mean().item()


@pytest.mark.slow
def test_vgg_16_layers_learn_with_batch_norm_or_he_weights():
    assert accuracy("batch", DefaultInitializer()) > 0.85
    assert accuracy(nn.Identity, HeInitializer()) > 0.7
    assert accuracy(nn.Identity, DefaultInitializer()) < 0.15
