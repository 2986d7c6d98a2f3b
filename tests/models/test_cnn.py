"""Plain convolutional network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.image.cnn import CNN

DIGITS = Spec((Real((1, 8, 8)),), Classes(10))
MNIST = Spec((Real((1, 28, 28)),), Classes(10))
SIZES = {
    "channels": [3, 4],
    "kernel_size": 3,
    "pool": [2, 1],
    "pooling": "max",
    "dense": [5],
    "dropout": 0.0,
    "norm": "none",
}


def made(spec=DIGITS, **changed):
    torch.manual_seed(0)
    return CNN(spec, **{**SIZES, **changed})


@pytest.mark.parametrize(("pooling", "by_hand"), [("max", F.max_pool2d), ("average", F.avg_pool2d)])
def test_cnn_matches_hand_computation(pooling, by_hand):
    model, x = made(pooling=pooling), torch.rand(6, 1, 8, 8)
    first, second = (part for part in model.convolutions if isinstance(part, nn.Conv2d))
    hidden, scores = (part for part in model.dense if isinstance(part, nn.Linear))
    y = by_hand(F.conv2d(x, first.weight, first.bias, padding=1).relu(), 2)
    y = F.conv2d(y, second.weight, second.bias, padding=1).relu()
    torch.testing.assert_close(model(x), scores(hidden(y.flatten(1)).relu()))


def test_cnn_capsnet_baseline_parameter_count():
    with torch.device("meta"):
        model = made(MNIST, channels=[256, 256, 128], kernel_size=5, pool=[1, 1, 1], dense=[328, 192])
    assert sum(parameter.numel() for parameter in model.parameters()) == 35_445_522


def test_cnn_normalizes_after_every_convolution():
    assert [type(part) for part in made(norm="batch").convolutions] == [
        *(nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d),
        *(nn.Conv2d, nn.BatchNorm2d, nn.ReLU),
    ]


def test_cnn_dropout_in_training_only():
    model, x = made(dropout=0.5, dense=[50]), torch.rand(6, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


def test_cnn_without_convolutions_is_linear():
    model, x = made(channels=[], pool=[], dense=[]), torch.rand(6, 1, 8, 8)
    torch.testing.assert_close(model(x), model.dense[-1](x.flatten(1)))


@pytest.mark.parametrize(
    ("error", "code", "fields", "changed"),
    [
        (
            UsageError,
            "invalid_value",
            {"key": "model.pool", "got": [2], "must": "a list of 2 values, one per convolution"},
            {"pool": [2]},
        ),
        (UsageError, "invalid_value", {"key": "model.channels.1", "got": 0}, {"channels": [3, 0]}),
        (UsageError, "invalid_value", {"key": "model.dropout", "got": 1.0}, {"dropout": 1.0}),
        (
            Mismatch,
            "mismatch",
            {"subject": "CNN with model.pool=[4, 4]", "requirement": "a larger image"},
            {"pool": [4, 4]},
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "CNN", "requirement": "one image (channel, height, width)"},
            {"spec": Spec((Real((1, 64)),), Classes(10))},
        ),
    ],
)
def test_cnn_rejects_invalid_input(error, code, fields, changed):
    with pytest.raises(error) as raised:
        made(**changed)
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
