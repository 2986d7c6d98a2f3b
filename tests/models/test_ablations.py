"""Ablated LSTMs equal an LSTM whose missing gate is 1."""

import pytest
import torch

from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.sequence.lstm import LSTM
from dlcli.models.sequence.lstm_ablations import (
    LSTMWithoutForgetGate,
    LSTMWithoutInputGate,
    LSTMWithoutOutputGate,
)

SPEC = Spec((Real((2, None)),), Classes(3, (None,)))
HYPER = {"hidden": 4, "dropout": 0.0, "embedding": 1, "embedding_dropout": 0.0, "tied": False}
HELD_OPEN = 60.0  # a logistic gate is 1 in float64 there
# model, its own keywords, and where i, f, g, o of nn.LSTM are among its sums (None: it has no such gate)
CASES = [
    (LSTMWithoutInputGate, {"forget_bias": 0.5}, (None, 0, 2, 1)),
    (LSTMWithoutForgetGate, {}, (0, None, 2, 1)),
    (LSTMWithoutOutputGate, {"forget_bias": 0.5}, (1, 0, 2, None)),
]
each = pytest.mark.parametrize(("model", "extra", "places"), CASES)


def build(model, layers=1, **hyper):
    torch.manual_seed(0)
    return model(SPEC, layers=layers, **HYPER, **hyper).double()


@each
def test_ablated_lstm_equals_lstm_with_open_gate(model, extra, places):
    ablated, full = build(model, **extra), build(LSTM, forget_bias=0.0)
    cell, cells = ablated.memory.layers[0].cell, full.memory.cells
    with torch.no_grad():
        for gate, place in enumerate(places):
            rows = slice(4 * gate, 4 * gate + 4)
            cells.bias_hh_l0[rows] = 0.0
            if place is None:
                cells.weight_ih_l0[rows], cells.weight_hh_l0[rows] = 0.0, 0.0
                cells.bias_ih_l0[rows] = HELD_OPEN
            else:
                own = slice(4 * place, 4 * place + 4)
                cells.weight_ih_l0[rows], cells.bias_ih_l0[rows] = (
                    cell.inputs.weight[own],
                    cell.inputs.bias[own],
                )
                cells.weight_hh_l0[rows] = cell.recurrent.T[own]
    full.head.load_state_dict(ablated.head.state_dict())
    x = torch.randn(3, 2, 6, dtype=torch.float64)
    torch.testing.assert_close(ablated(x), full(x))


@each
def test_ablated_lstm_has_no_parameters_of_removed_gate(model, extra, places):
    count = sum(p.numel() for p in build(model, **extra).memory.parameters())
    assert count == 3 * 4 * (2 + 4 + 1)


@pytest.mark.parametrize("model", [LSTMWithoutInputGate, LSTMWithoutOutputGate])
def test_ablated_lstm_forget_bias_in_every_layer(model):
    for layer in build(model, layers=2, forget_bias=7.0).memory.layers:
        bias = layer.cell.inputs.bias
        assert (bias[:4] == 7.0).all()
        assert (bias[4:].abs() <= 0.5).all()


def test_lstm_without_forget_gate_keeps_its_state():
    model = build(LSTMWithoutForgetGate)
    cell = model.memory.layers[0].cell
    with torch.no_grad():
        cell.inputs.weight.zero_()
        cell.recurrent.zero_()
        cell.inputs.bias.zero_()  # the candidate is tanh(0): nothing is written either
    begin = torch.randn(3, 4, dtype=torch.float64)
    _, ((_, c),) = model(torch.randn(3, 2, 50, dtype=torch.float64), carry=((begin, begin),))
    torch.testing.assert_close(c, begin)
