"""Dropout variants: moments, shared draws, edge cases."""

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.nn.stochastic.dropout import ChannelDropout, DropPath, ElementDropout, TimeDropout

FORMS = (ElementDropout, ChannelDropout, TimeDropout, DropPath)
DRAWS = 20_000


def signal():
    return torch.randn(3, 4, 2, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_preserves_mean_and_has_bernoulli_variance(form, rate):
    torch.manual_seed(1)
    x = signal()[:1, :, :1]  # one sample many times: its draws are its own
    drawn = form(rate=rate)(x.expand(DRAWS, -1, -1, -1)).double()
    wanted = (rate / (1 - rate) * x.double().square())[0]
    error = (wanted / DRAWS).sqrt()
    # 20 values at once: 3 standard errors for each would be missed one time in twenty
    assert ((drawn.mean(0) - x[0]).abs() < 4 * error).all()
    torch.testing.assert_close(drawn.var(0), wanted, rtol=0.06, atol=0.0)


@pytest.mark.parametrize("form", FORMS)
def test_dropout_rescales_kept_values(form):
    torch.manual_seed(2)
    drawn = form(rate=0.2)(torch.ones(4000, 2, 1, 3))
    assert drawn.unique().tolist() == pytest.approx([0.0, 1.25])
    assert (drawn == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("form", FORMS)
def test_dropout_is_identity_in_evaluation_and_zero_at_rate_one(form):
    x = signal().requires_grad_()
    assert form(rate=0.7).eval()(x) is x
    assert form(rate=0.0)(x) is x
    nothing = form(rate=1.0)(x)
    assert torch.equal(nothing, torch.zeros_like(x))
    (gradient,) = torch.autograd.grad(nothing.sum(), x)
    assert torch.equal(gradient, torch.zeros_like(x))
    assert form(rate=1.0).eval()(x) is x


SHARED = {  # axes of (batch, channel, place, time) along which all values share a draw
    ElementDropout: (),
    ChannelDropout: (2, 3),
    TimeDropout: (3,),
    DropPath: (1, 2, 3),
}


@pytest.mark.parametrize("form", FORMS)
def test_dropout_mask_is_shared_along_expected_axes(form):
    torch.manual_seed(3)
    drawn = form(rate=0.5)(torch.ones(30, 6, 7, 8))
    for axis in range(4):
        same = (drawn == drawn.select(axis, 0).unsqueeze(axis)).all()
        assert same == (axis in SHARED[form])


def test_time_dropout_equals_channel_dropout_on_sequences():
    x = torch.randn(5, 6, 7)
    torch.manual_seed(4)
    one = TimeDropout(rate=0.5)(x)
    torch.manual_seed(4)
    assert torch.equal(ChannelDropout(rate=0.5)(x), one)


@pytest.mark.parametrize("form", FORMS)
def test_dropout_of_inputs_without_positions(form):
    torch.manual_seed(5)
    drawn = form(rate=0.5)(torch.ones(50, 60))
    assert 0.3 < (drawn == 0).float().mean() < 0.7
    assert (drawn == drawn[:, :1]).all() == (form is DropPath)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_dropout_rejects_invalid_rate(form, rate):
    with pytest.raises(UsageError) as raised:
        form(rate=rate)
    assert raised.value.fields["key"] == "dropout.rate"


def test_dropout_has_no_parameters_or_state():
    assert not [one for form in FORMS for one in form(rate=0.5).state_dict()]
