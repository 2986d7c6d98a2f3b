"""Elman, LSTM and GRU against their equations."""

import pytest
import torch

from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.sequence.elman import Elman
from dlcli.models.sequence.gru import GRU
from dlcli.models.sequence.lstm import LSTM

SPEC = Spec((Real((2, None)),), Classes(3, (None,)))
HYPER = {"hidden": 4, "dropout": 0.0, "embedding": 1, "embedding_dropout": 0.0, "tied": False}


def build(model, **hyper):
    torch.manual_seed(0)
    built = model(SPEC, **HYPER | hyper).double()
    return built, built.memory.cells, torch.randn(3, 2, 6, dtype=torch.float64)


def answer(model, states):
    return model.head(torch.stack(states, 2))


def unroll(step, cells, x, *state):
    """States of h for a `step(input part, state part, *state)` of one layer."""
    states = []
    for t in range(x.shape[2]):
        from_input = x[:, :, t] @ cells.weight_ih_l0.T + cells.bias_ih_l0
        from_state = state[0] @ cells.weight_hh_l0.T + cells.bias_hh_l0
        state = step(from_input, from_state, *state)
        states.append(state[0])
    return states


def zeros():
    return torch.zeros(3, 4, dtype=torch.float64)


def test_elman_matches_equation():
    model, cells, x = build(Elman, layers=1)
    states = unroll(lambda a, b, _: ((a + b).tanh(),), cells, x, zeros())
    torch.testing.assert_close(model(x), answer(model, states))


def test_lstm_matches_equations():
    def step(a, b, h, c):
        i, f, g, o = (a + b).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    model, cells, x = build(LSTM, layers=1, forget_bias=1.0)
    states = unroll(step, cells, x, zeros(), zeros())
    torch.testing.assert_close(model(x), answer(model, states))


def test_gru_matches_equations():
    def step(a, b, h):
        (ar, az, an), (br, bz, bn) = a.chunk(3, 1), b.chunk(3, 1)
        r, z = (ar + br).sigmoid(), (az + bz).sigmoid()
        n = (an + r * bn).tanh()
        return ((1 - z) * n + z * h,)

    model, cells, x = build(GRU, layers=1)
    states = unroll(step, cells, x, zeros())
    torch.testing.assert_close(model(x), answer(model, states))


@pytest.mark.parametrize("bias", [0.0, 1.0, 10.0])
def test_lstm_forget_bias_in_every_layer(bias):
    _, cells, _ = build(LSTM, layers=3, forget_bias=bias)
    for layer in range(3):
        on_input, on_state = (getattr(cells, f"bias_{side}_l{layer}") for side in ("ih", "hh"))
        assert (on_input[4:8] == bias).all()
        assert (on_state[4:8] == 0).all()
        assert (on_input[:4] != bias).all()
        assert (on_input[8:] != bias).all()


def test_lstm_open_forget_gate_keeps_state():
    kept = {}
    for bias in (-20.0, 20.0):
        model, _, x = build(LSTM, layers=1, forget_bias=bias)
        _, (_, c) = model(torch.zeros_like(x), carry=model.start(3))
        _, (_, other) = model(torch.zeros_like(x), carry=tuple(part + 1.0 for part in model.start(3)))
        kept[bias] = (other - c).abs().mean()
    assert kept[-20.0] < 1e-2
    assert kept[20.0] > 0.5


def test_gru_published_parameter_count():
    spec = Spec((Real((1, 784)),), Classes(10))
    model = LSTM(spec, **HYPER | {"hidden": 130}, layers=1, forget_bias=1.0)
    assert sum(p.numel() for p in model.parameters()) == 4 * 130 * (1 + 130 + 2) + 130 * 10 + 10
