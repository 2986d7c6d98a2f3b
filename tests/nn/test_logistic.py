"""Logistic function: value and independence of the element position."""

import torch

from dlcli.nn.recurrent.logistic import logistic


def test_logistic_matches_sigmoid():
    x = torch.linspace(-30, 30, 401)
    torch.testing.assert_close(logistic(x), x.double().sigmoid().float(), rtol=0, atol=1.2e-7)


def test_logistic_is_independent_of_element_position():
    x = torch.randn(500, generator=torch.Generator().manual_seed(0)) * 3
    whole = logistic(x)
    for begin in range(20):
        for length in range(1, 40):
            assert torch.equal(logistic(x[begin : begin + length]), whole[begin : begin + length])
    assert torch.equal(logistic(torch.stack((x, x), 1)[:, 0]), whole)
