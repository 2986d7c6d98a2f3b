"""Networks for game frames: sizes and padding."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.population import ParameterLayout, PolicyPopulation
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.policy.dqn import DQN
from dlcli.models.policy.large_model import LargeModel

SCREENS = Spec((Real((4, 84, 84)),), Classes(18))


def make(cls, spec=SCREENS, channels=(32, 64, 64), hidden=512):
    torch.manual_seed(0)
    return cls(spec, channels=list(channels), hidden=hidden)


@pytest.mark.parametrize(("cls", "features", "parameters"), [(LargeModel, 7744, 4_052_658), (DQN, 3136, 1_693_362)])
def test_nature_cnn_sizes_match_papers(cls, features, parameters):
    model = make(cls)
    assert model.hidden.in_features == features
    assert ParameterLayout(model).size == parameters
    assert model(torch.rand(2, 4, 84, 84)).shape == (2, 18)


def padded(model, x, zeros):
    """The equations, with the zeros before and after each convolution's input."""
    for (before, after), layer in zip(zeros, model.convolutions, strict=True):
        wide = torch.zeros(*x.shape[:2], x.shape[2] + before + after, x.shape[3] + before + after)
        wide[..., before : before + x.shape[2], before : before + x.shape[3]] = x
        x = F.conv2d(wide, layer.weight, layer.bias, layer.stride).clamp(min=0)
    return model.head(model.hidden(x.flatten(1)).clamp(min=0))


def test_large_model_uses_same_padding():
    model, x = make(LargeModel, hidden=32), torch.rand(2, 4, 84, 84)
    torch.testing.assert_close(model(x), padded(model, x, [(2, 2), (1, 2), (1, 1)]))


def test_dqn_uses_valid_padding():
    model, x = make(DQN, hidden=32), torch.rand(2, 4, 84, 84)
    torch.testing.assert_close(model(x), padded(model, x, [(0, 0)] * 3))


@pytest.mark.parametrize("cls", [LargeModel, DQN])
def test_nature_cnn_accepts_other_image_sizes(cls):
    spec = Spec((Real((2, 50, 61)),), Real((3,)))
    assert make(cls, spec, (4, 4, 4), 8)(torch.rand(2, 2, 50, 61)).shape == (2, 3)


@pytest.mark.parametrize("cls", [LargeModel, DQN])
@pytest.mark.parametrize("rows", [1, 3])
def test_nature_cnn_output_is_independent_of_population(cls, rows):
    model = make(cls)
    layout = ParameterLayout(model)
    parameters = layout.stack(torch.randn(5, layout.size, generator=torch.Generator().manual_seed(1)) * 0.02)
    x = torch.rand(5, rows, 4, 84, 84)
    with torch.inference_mode():
        together = PolicyPopulation(model, parameters, rows)(x)
        for chosen in ([0], [3], [1, 4], [4, 2, 0]):
            some = {name: value[chosen] for name, value in parameters.items()}
            assert torch.equal(PolicyPopulation(model, some, rows)(x[chosen]), together[chosen])
        one = functional_call(model, {name: value[2] for name, value in parameters.items()}, (x[2],))
        torch.testing.assert_close(together[2], one)


def test_dqn_accepts_36_pixels():
    assert make(DQN, Spec((Real((4, 36, 84)),), Classes(2)))


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            Mismatch,
            "mismatch",
            {"subject": "DQN", "requirement": "one image (channel, height, width)"},
            lambda: make(DQN, Spec((Real((4,)),), Classes(2))),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "DQN", "requirement": "a larger image"},
            lambda: make(DQN, Spec((Real((4, 35, 84)),), Classes(2))),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "LargeModel", "requirement": "a target of one position"},
            lambda: make(LargeModel, Spec((Real((4, 84, 84)),), Classes(2, (5,)))),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.channels", "got": [32, 64], "must": "a list of 3 widths"},
            lambda: make(LargeModel, channels=(32, 64)),
        ),
    ],
)
def test_nature_cnn_rejects_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
