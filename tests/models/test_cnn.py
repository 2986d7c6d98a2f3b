"""The plain CNN: by hand, its number of parameters, and what it refuses."""

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
    "norm": nn.Identity,
}


def made(spec=DIGITS, **changed):
    torch.manual_seed(0)
    return CNN(spec, **{**SIZES, **changed})


@pytest.mark.parametrize(("pooling", "by_hand"), [("max", F.max_pool2d), ("average", F.avg_pool2d)])
def test_by_hand(pooling, by_hand):
    model, x = made(pooling=pooling), torch.rand(6, 1, 8, 8)
    first, second = (part for part in model.convolutions if isinstance(part, nn.Conv2d))
    hidden, scores = (part for part in model.dense if isinstance(part, nn.Linear))
    y = by_hand(F.conv2d(x, first.weight, first.bias, padding=1).relu(), 2)
    y = F.conv2d(y, second.weight, second.bias, padding=1).relu()
    torch.testing.assert_close(model(x), scores(hidden(y.flatten(1)).relu()))


def test_capsnets_baseline_has_35_million_parameters():
    with torch.device("meta"):
        model = made(MNIST, channels=[256, 256, 128], kernel_size=5, pool=[1, 1, 1], dense=[328, 192])
    assert sum(parameter.numel() for parameter in model.parameters()) == 35_445_522


def test_a_norm_stands_behind_every_convolution():
    assert [type(part) for part in made(norm=nn.BatchNorm2d).convolutions] == [
        *(nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d),
        *(nn.Conv2d, nn.BatchNorm2d, nn.ReLU),
    ]


def test_dropout_acts_in_training_alone():
    model, x = made(dropout=0.5, dense=[50]), torch.rand(6, 1, 8, 8)
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


def test_without_convolutions_it_is_a_linear_model():
    model, x = made(channels=[], pool=[], dense=[]), torch.rand(6, 1, 8, 8)
    torch.testing.assert_close(model(x), model.dense[-1](x.flatten(1)))


@pytest.mark.parametrize(
    ("error", "words", "changed"),
    [
        (UsageError, "model.pool has one number a convolution: 2, not 1", {"pool": [2]}),
        (UsageError, "model.channels.1 is at least 1, not 0", {"channels": [3, 0]}),
        (UsageError, "model.dropout is in", {"dropout": 1.0}),
        (Mismatch, r"CNN pools Real\(1, 8, 8\) -> Classes\(10\) to nothing", {"pool": [4, 4]}),
        (Mismatch, "CNN reads one image", {"spec": Spec((Real((1, 64)),), Classes(10))}),
    ],
)
def test_what_it_refuses(error, words, changed):
    with pytest.raises(error, match=words):
        made(**changed)
