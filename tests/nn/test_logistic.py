"""The logistic function: the right value, and the same one at every place."""

import torch

from dlcli.nn.recurrent.logistic import logistic


def test_it_is_the_logistic_function():
    x = torch.linspace(-30, 30, 401)
    torch.testing.assert_close(logistic(x), x.double().sigmoid().float(), rtol=0, atol=1.2e-7)


def test_no_element_depends_on_where_it_stands():
    x = torch.randn(500, generator=torch.Generator().manual_seed(0)) * 3
    whole = logistic(x)
    for begin in range(20):
        for length in range(1, 40):
            assert torch.equal(logistic(x[begin : begin + length]), whole[begin : begin + length])
    assert torch.equal(logistic(torch.stack((x, x), 1)[:, 0]), whole)
