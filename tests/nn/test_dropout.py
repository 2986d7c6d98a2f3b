"""Dropout in its forms: mean and variance of what is drawn, which values share a draw, and the ends of the range."""

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
def test_the_mean_stays_and_the_variance_is_p_by_1_minus_p_times_x_squared(form, rate):
    torch.manual_seed(1)
    x = signal()[:1, :, :1]  # one sample many times: its draws are its own
    drawn = form(rate=rate)(x.expand(DRAWS, -1, -1, -1)).double()
    wanted = (rate / (1 - rate) * x.double().square())[0]
    error = (wanted / DRAWS).sqrt()
    # 20 values at once: 3 standard errors for each would be missed one time in twenty
    assert ((drawn.mean(0) - x[0]).abs() < 4 * error).all()
    torch.testing.assert_close(drawn.var(0), wanted, rtol=0.06, atol=0.0)


@pytest.mark.parametrize("form", FORMS)
def test_kept_values_are_scaled_up_and_the_rate_is_what_is_dropped(form):
    torch.manual_seed(2)
    drawn = form(rate=0.2)(torch.ones(4000, 2, 1, 3))
    assert drawn.unique().tolist() == pytest.approx([0.0, 1.25])
    assert (drawn == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("form", FORMS)
def test_scoring_and_a_rate_of_zero_are_the_identity_and_a_rate_of_one_is_zero(form):
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
def test_which_values_share_a_draw(form):
    torch.manual_seed(3)
    drawn = form(rate=0.5)(torch.ones(30, 6, 7, 8))
    for axis in range(4):
        same = (drawn == drawn.select(axis, 0).unsqueeze(axis)).all()
        assert same == (axis in SHARED[form])


def test_of_a_sequence_variational_dropout_is_that_of_channels():
    x = torch.randn(5, 6, 7)
    torch.manual_seed(4)
    one = TimeDropout(rate=0.5)(x)
    torch.manual_seed(4)
    assert torch.equal(ChannelDropout(rate=0.5)(x), one)


@pytest.mark.parametrize("form", FORMS)
def test_of_units_without_places(form):
    torch.manual_seed(5)
    drawn = form(rate=0.5)(torch.ones(50, 60))
    assert 0.3 < (drawn == 0).float().mean() < 0.7
    assert (drawn == drawn[:, :1]).all() == (form is DropPath)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_no_probability(form, rate):
    with pytest.raises(UsageError, match=r"in \[0, 1\]"):
        form(rate=rate)


def test_nothing_is_learned_or_remembered():
    assert not [one for form in FORMS for one in form(rate=0.5).state_dict()]
