"""Samples of a generative model: a function of weights and seed."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.sampling import draw


class Noise(nn.Module):
    """Generative model that applies dropout to noise, or returns `wrong`."""

    def __init__(self, wrong=None):
        super().__init__()
        self.scale, self.dropout, self.wrong = nn.Parameter(torch.ones(1)), nn.Dropout(0.5), wrong

    def sample(self, n, rng):
        assert not self.training
        assert not torch.is_grad_enabled()
        x = self.dropout(torch.randn(n, 3, generator=rng)) * self.scale + torch.rand(n, 3)
        return x if self.wrong is None else self.wrong


def test_draw_depends_on_the_seed_alone_and_restores_modes_and_random_state():
    model = Noise()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = draw(model, 4, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    torch.manual_seed(2)
    assert torch.equal(draw(model, 4, seed=7), first)
    assert not torch.equal(draw(model, 4, seed=8), first)


@pytest.mark.parametrize("wrong", [torch.zeros(3, 3), torch.zeros(()), [1, 2, 3, 4]])
def test_draw_checks_the_samples_of_the_model(wrong):
    with pytest.raises(Mismatch) as error:
        draw(Noise(wrong), 4, seed=0)
    assert (error.value.code, error.value.fields["requirement"]) == ("mismatch", "a tensor [4, ...]")


def test_draw_rejects_predictors_and_counts_below_1():
    with pytest.raises(Mismatch) as error:
        draw(nn.Linear(1, 1), 4, seed=0)
    assert error.value.fields["got"] == "Linear"
    with pytest.raises(UsageError) as invalid:
        draw(Noise(), 0, seed=0)
    assert invalid.value.fields["got"] == 0
