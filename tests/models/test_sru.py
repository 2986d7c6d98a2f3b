"""Simple recurrent unit."""

import pytest
import torch

from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.sequence.sru import SRU

HYPER = {"hidden": 4, "dropout": 0.0, "embedding": 1, "embedding_dropout": 0.0, "tied": False}


def build(width, layers=1):
    torch.manual_seed(0)
    model = SRU(Spec((Real((width, None)),), Classes(3, (None,))), layers=layers, **HYPER).double()
    for layer in model.memory.layers:
        torch.nn.init.normal_(layer.bias)
    return model, torch.randn(2, width, 7, dtype=torch.float64)


def layer_by_hand(layer, x, c):
    """The equations of version 1, step by step; x is (batch, channel, time)."""
    Wf, Wr, W = layer.inputs.weight.chunk(3)
    bf, br = layer.bias.chunk(2)
    states = []
    for now in x.unbind(2):
        f = (now @ Wf.T + bf).sigmoid()
        r = (now @ Wr.T + br).sigmoid()
        c = f * c + (1 - f) * (now @ W.T)
        states.append(r * c.tanh() + (1 - r) * layer.highway(now))
    return torch.stack(states, 2), c


@pytest.mark.parametrize("width", [2, 4])
def test_sru_matches_equations(width):
    model, x = build(width, layers=2)
    begin = tuple(torch.randn(2, 4, dtype=torch.float64) for _ in range(2))
    h, wanted = x, []
    for layer, state in zip(model.memory.layers, begin, strict=True):
        h, c = layer_by_hand(layer, h, state)
        wanted.append(c)
    output, carry = model(x, carry=begin)
    torch.testing.assert_close(output, model.head(h))
    torch.testing.assert_close(carry, tuple(wanted))


def test_sru_highway_matrix_only_for_different_widths():
    model, _ = build(2, layers=2)
    below, above = ({name: p.shape for name, p in layer.named_parameters()} for layer in model.memory.layers)
    assert below == {"inputs.weight": (12, 2), "bias": (8,), "highway.weight": (4, 2)}
    assert above == {"inputs.weight": (12, 4), "bias": (8,)}


def test_sru_closed_reset_gate_passes_input():
    model, x = build(4)
    with torch.no_grad():
        model.memory.layers[0].bias[4:] = -60.0  # r = 0
        model.memory.layers[0].inputs.weight[4:8] = 0.0
    torch.testing.assert_close(model(x), model.head(x))
