"""Recurrent policies against PyTorch cells, single and as a population."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.population import ParameterLayout, PolicyPopulation
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Recurrent
from dlcli.models.policy.elman_policy import ElmanPolicy
from dlcli.models.policy.gru_policy import GRUPolicy
from dlcli.models.policy.lstm_policy import LSTMPolicy

SPEC = Spec((Real((2, 3)),), Classes(5))
KINDS = [(ElmanPolicy, nn.RNNCell, 1), (GRUPolicy, nn.GRUCell, 3), (LSTMPolicy, nn.LSTMCell, 4)]


def make(cls, hidden=7):
    torch.manual_seed(0)
    return cls(SPEC, hidden=hidden).double()


def twin(model, kind):
    """ATen's cell with the same weights: it adds two biases where one is enough, but for the GRU's candidate."""
    cell = kind(6, 7).double()
    with torch.no_grad():
        cell.weight_ih.copy_(model.cell.inputs.weight)
        cell.bias_ih.copy_(model.cell.inputs.bias)
        cell.weight_hh.copy_(model.cell.states.T)
        cell.bias_hh.zero_()
        if kind is nn.GRUCell:
            cell.bias_hh[14:] = model.cell.bias
    return cell


@pytest.mark.parametrize(("cls", "kind", "gates"), KINDS)
def test_recurrent_policy_step_matches_pytorch_cell(cls, kind, gates):
    model = make(cls)
    cell, state, carry = twin(model, kind), None, model.start(4)
    assert isinstance(model, Recurrent)
    for _ in range(6):
        x = torch.randn(4, 2, 3, dtype=torch.float64)
        state = cell(x.flatten(1), state)
        h = state[0] if isinstance(state, tuple) else state
        output, carry = model(x, carry=carry)
        torch.testing.assert_close(output, model.head(h))
        torch.testing.assert_close(carry[0], h)
    if isinstance(state, tuple):
        torch.testing.assert_close(carry[1], state[1])


@pytest.mark.parametrize(("cls", "kind", "gates"), KINDS)
def test_recurrent_policy_without_carry_starts_from_zeros(cls, kind, gates):
    model, x = make(cls), torch.randn(4, 2, 3, dtype=torch.float64)
    assert torch.equal(model(x), model(x, carry=model.start(4))[0])


@pytest.mark.parametrize(("cls", "kind", "gates"), KINDS)
def test_recurrent_policy_parameter_count(cls, kind, gates):
    once_more = 7 if cls is GRUPolicy else 0
    assert ParameterLayout(make(cls)).size == gates * 7 * (6 + 7 + 1) + once_more + 8 * 5


@pytest.mark.parametrize(("cls", "kind", "gates"), KINDS)
def test_recurrent_policy_population_has_separate_carries(cls, kind, gates):
    model = make(cls).float()
    layout = ParameterLayout(model)
    vectors, xs = torch.randn(5, layout.size) * 0.5, torch.randn(4, 5, 3, 2, 3)
    together = PolicyPopulation(model, layout.stack(vectors), 3)
    outputs = [together(x) for x in xs]
    for place in range(5):
        layout.load(model, vectors[place])
        alone = PolicyPopulation(model, None, 3)
        for x, output in zip(xs, outputs, strict=True):
            torch.testing.assert_close(alone(x[place : place + 1])[0], output[place], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("cls", "kind", "gates"), KINDS)
@pytest.mark.parametrize("rows", [1, 3, 4])
def test_recurrent_policy_output_is_independent_of_population(cls, kind, gates, rows):
    model = make(cls).float()
    layout = ParameterLayout(model)
    parameters, xs = layout.stack(torch.randn(66, layout.size)), torch.randn(4, 66, rows, 2, 3)
    together = PolicyPopulation(model, parameters, rows)
    outputs = [together(x) for x in xs]
    for chosen in ([0], [17], [65, 2], list(range(1, 66))):
        some = PolicyPopulation(model, {name: value[chosen] for name, value in parameters.items()}, rows)
        for x, output in zip(xs, outputs, strict=True):
            assert torch.equal(some(x[chosen]), output[chosen])


@pytest.mark.parametrize(("cls", "kind", "gates"), KINDS)
def test_recurrent_policy_remaining_individuals_keep_carry(cls, kind, gates):
    model = make(cls).float()
    layout = ParameterLayout(model)
    parameters, xs = layout.stack(torch.randn(6, layout.size)), torch.randn(3, 6, 1, 2, 3)
    whole, some = PolicyPopulation(model, parameters, 1), PolicyPopulation(model, parameters, 1)
    whole(xs[0]), some(xs[0])
    stay = torch.tensor([1, 4])
    some.keep(stay)
    for x in xs[1:]:
        assert torch.equal(some(x[stay]), whole(x)[stay])


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (UsageError, "invalid_value", {"key": "model.hidden", "got": 0}, lambda: GRUPolicy(SPEC, hidden=0)),
        (
            Mismatch,
            "mismatch",
            {"subject": "LSTMPolicy", "requirement": "one real input of known size"},
            lambda: LSTMPolicy(Spec((Classes(4, (3,)),), Classes(2)), hidden=4),
        ),
    ],
)
def test_recurrent_policies_reject_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
