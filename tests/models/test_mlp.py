"""Multilayer perceptron, single and batched."""

import pytest
import torch
from torch.func import functional_call, vmap

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.population import BatchedForward, ParameterLayout
from dlcli.core.spec import Classes, Real, Spec
from dlcli.models.policy.mlp import MLP


def make(shape=(4,), units=2, hidden=(16,), activation="tanh"):
    torch.manual_seed(0)
    return MLP(Spec((Real(shape),), Classes(units)), hidden=list(hidden), activation=activation)


def population(model, count):
    layout = ParameterLayout(model)
    return layout.stack(torch.randn(count, layout.size, generator=torch.Generator().manual_seed(1)))


def test_mlp_matches_equation():
    model, x = make(), torch.randn(3, 4)
    first, last = model.layers
    torch.testing.assert_close(model(x), (x @ first.weight.T + first.bias).tanh() @ last.weight.T + last.bias)


def test_mlp_relu_and_no_hidden_layer():
    model, x = make(hidden=(5, 3), activation="relu"), torch.randn(3, 4)
    first, second, last = model.layers
    torch.testing.assert_close(model(x), last(second(first(x).clamp(min=0)).clamp(min=0)))
    assert torch.equal(make(hidden=())(x), make(hidden=()).layers[0](x))


def test_mlp_parameter_count():
    assert ParameterLayout(make()).size == 5 * 16 + 17 * 2


def test_mlp_flattens_images():
    model, x = make((1, 8, 8), 10), torch.rand(5, 1, 8, 8)
    assert model(x).shape == (5, 10)
    assert torch.equal(model(x), make((64,), 10)(x.flatten(1)))


SIZES = [((4,), 2, (16,)), ((11,), 2, (17, 5)), ((1, 8, 8), 10, (16,)), ((128,), 18, (64, 64)), ((3,), 1, ())]


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("shape", "units", "hidden"), SIZES)
def test_mlp_batched_forward_equals_individual_forward(shape, units, hidden, activation):
    model = make(shape, units, hidden, activation)
    assert isinstance(model, BatchedForward)
    parameters, x = population(model, 7), torch.randn(7, 3, *shape)
    kept = x.clone()
    wanted = vmap(lambda one, seen: functional_call(model, one, (seen,)))(parameters, x)
    torch.testing.assert_close(model.batched_forward(parameters, x), wanted, rtol=1e-6, atol=2e-5)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("rows", [1, 2, 3, 20])
@pytest.mark.parametrize(("shape", "units", "hidden"), SIZES)
def test_mlp_output_is_independent_of_population(shape, units, hidden, rows):
    model = make(shape, units, hidden)
    parameters, x = population(model, 130), torch.randn(130, rows, *shape)
    together = model.batched_forward(parameters, x)
    for chosen in ([0], [5], [129], [0, 1], [7, 3, 9], list(range(64)), list(range(1, 130))):
        index = torch.tensor(chosen)
        copied = {name: value[index] for name, value in parameters.items()}
        assert torch.equal(model.batched_forward(copied, x[index]), together[index])
    for begin, end in ((0, 1), (1, 2), (3, 10), (65, 130)):
        viewed = {name: value[begin:end] for name, value in parameters.items()}
        assert torch.equal(model.batched_forward(viewed, x[begin:end]), together[begin:end])


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            Mismatch,
            "mismatch",
            {"subject": "MLP", "requirement": "one real input of known size"},
            lambda: MLP(Spec((Classes(5, (3,)),), Classes(2)), hidden=[4], activation="tanh"),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "MLP", "requirement": "one real input of known size"},
            lambda: MLP(Spec((Real((1, None)),), Classes(2)), hidden=[4], activation="tanh"),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "MLP", "requirement": "a target of one position"},
            lambda: MLP(Spec((Real((1, 5)),), Classes(2, (5,))), hidden=[4], activation="tanh"),
        ),
        (UsageError, "invalid_value", {"key": "model.hidden.1", "got": 0}, lambda: make(hidden=(4, 0))),
    ],
)
def test_mlp_rejects_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
