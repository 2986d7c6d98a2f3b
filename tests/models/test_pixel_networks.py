"""The networks of Atari: the papers' sizes, the papers' padding."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.population import Layout, Policies
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.policy.dqn import DQN
from dlcli.models.policy.large_model import LargeModel

SCREENS = Spec((Real((4, 84, 84)),), Classes(18))


def make(cls, spec=SCREENS, channels=(32, 64, 64), hidden=512):
    torch.manual_seed(0)
    return cls(spec, channels=list(channels), hidden=hidden)


@pytest.mark.parametrize(("cls", "features", "parameters"), [(LargeModel, 7744, 4_052_658), (DQN, 3136, 1_693_362)])
def test_the_sizes_are_the_papers(cls, features, parameters):
    model = make(cls)
    assert model.hidden.in_features == features
    assert Layout(model).size == parameters
    assert model(torch.rand(2, 4, 84, 84)).shape == (2, 18)


def padded(model, x, zeros):
    """The equations, with the zeros before and after each convolution's input."""
    for (before, after), layer in zip(zeros, model.convolutions, strict=True):
        wide = torch.zeros(*x.shape[:2], x.shape[2] + before + after, x.shape[3] + before + after)
        wide[..., before : before + x.shape[2], before : before + x.shape[3]] = x
        x = F.conv2d(wide, layer.weight, layer.bias, layer.stride).clamp(min=0)
    return model.head(model.hidden(x.flatten(1)).clamp(min=0))


def test_the_large_model_is_padded_as_tensorflow_does():
    model, x = make(LargeModel, hidden=32), torch.rand(2, 4, 84, 84)
    torch.testing.assert_close(model(x), padded(model, x, [(2, 2), (1, 2), (1, 1)]))


def test_the_dqn_is_not_padded():
    model, x = make(DQN, hidden=32), torch.rand(2, 4, 84, 84)
    torch.testing.assert_close(model(x), padded(model, x, [(0, 0)] * 3))


@pytest.mark.parametrize("cls", [LargeModel, DQN])
def test_other_images_have_other_sizes(cls):
    spec = Spec((Real((2, 50, 61)),), Real((3,)))
    assert make(cls, spec, (4, 4, 4), 8)(torch.rand(2, 2, 50, 61)).shape == (2, 3)


@pytest.mark.parametrize("cls", [LargeModel, DQN])
@pytest.mark.parametrize("rows", [1, 3])
def test_an_answer_does_not_depend_on_who_is_beside_to_the_last_bit(cls, rows):
    model = make(cls)
    layout = Layout(model)
    parameters = layout.stack(torch.randn(5, layout.size, generator=torch.Generator().manual_seed(1)) * 0.02)
    x = torch.rand(5, rows, 4, 84, 84)
    with torch.inference_mode():
        together = Policies(model, parameters, rows)(x)
        for chosen in ([0], [3], [1, 4], [4, 2, 0]):
            some = {name: value[chosen] for name, value in parameters.items()}
            assert torch.equal(Policies(model, some, rows)(x[chosen]), together[chosen])
        one = functional_call(model, {name: value[2] for name, value in parameters.items()}, (x[2],))
        torch.testing.assert_close(together[2], one)


def test_what_they_do_not_read():
    with pytest.raises(Mismatch, match=r"DQN reads one image \(channel, height, width\), not Real\(4\) ->"):
        make(DQN, Spec((Real((4,)),), Classes(2)))
    with pytest.raises(Mismatch, match="DQN reads larger images"):
        make(DQN, Spec((Real((4, 35, 84)),), Classes(2)))
    assert make(DQN, Spec((Real((4, 36, 84)),), Classes(2)))
    with pytest.raises(Mismatch, match="answers once"):
        make(LargeModel, Spec((Real((4, 84, 84)),), Classes(2, (5,))))
    with pytest.raises(UsageError, match=r"model\.channels has 3 widths, not 2"):
        make(LargeModel, channels=(32, 64))
