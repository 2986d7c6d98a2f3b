"""Common properties of all causal sequence models."""

from functools import partial

import pytest
import torch

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Batch, Recurrent, call
from dlcli.models.sequence.elman import Elman
from dlcli.models.sequence.gru import GRU
from dlcli.models.sequence.lstm import LSTM
from dlcli.models.sequence.lstm_ablations import (
    LSTMWithoutForgetGate,
    LSTMWithoutInputGate,
    LSTMWithoutOutputGate,
)
from dlcli.models.sequence.mut import MUT1, MUT2, MUT3
from dlcli.models.sequence.sru import SRU
from dlcli.models.sequence.transformer import Transformer

PER_STEP = Spec((Real((2, None)),), Classes(3, (None,)))
PER_SEQUENCE = Spec((Real((2, 12)),), Classes(3))
TOKENS = Spec((Classes(7, (None,)),), Classes(7, (None,)))
HYPER = {"dropout": 0.0, "embedding": 4, "embedding_dropout": 0.0, "tied": False, "layers": 2}
WITH_MEMORY = {
    "Elman": partial(Elman, hidden=5),
    "LSTM": partial(LSTM, hidden=5, forget_bias=1.0),
    "GRU": partial(GRU, hidden=5),
    "LSTM-i": partial(LSTMWithoutInputGate, hidden=5, forget_bias=1.0),
    "LSTM-f": partial(LSTMWithoutForgetGate, hidden=5),
    "LSTM-o": partial(LSTMWithoutOutputGate, hidden=5, forget_bias=1.0),
    "MUT1": partial(MUT1, hidden=5),
    "MUT2": partial(MUT2, hidden=5),
    "MUT3": partial(MUT3, hidden=5),
    "SRU": partial(SRU, hidden=5),
}
ONE_DIRECTION = WITH_MEMORY | {"Transformer": partial(Transformer, head_width=3, heads=2, feedforward=24)}
memory = pytest.mark.parametrize("make", WITH_MEMORY.values(), ids=WITH_MEMORY)
directed = pytest.mark.parametrize("make", ONE_DIRECTION.values(), ids=ONE_DIRECTION)


def build(make, spec, **hyper):
    torch.manual_seed(0)
    return make(spec, **HYPER | hyper).double()


def series(time=12):
    return torch.randn(3, 2, time, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@directed
def test_sequence_models_are_causal(make):
    model, x = build(make, PER_STEP), series()
    other = x.clone()
    other[:, :, 6] += 1.0
    change = (model(x) - model(other)).abs().amax((0, 1))
    assert change[:6].max() < 1e-12
    assert change[6:].min() > 0


@directed
def test_sequence_models_single_output_equals_last_step(make):
    one, each, x = build(make, PER_SEQUENCE), build(make, PER_STEP), series()
    each.load_state_dict(one.state_dict())
    assert one(x).shape == (3, 3)
    close(one(x), each(x)[..., -1])


@directed
def test_sequence_models_accept_any_length_and_tokens(make):
    model = build(make, TOKENS)
    for time in (1, 2, 9):
        assert model(torch.randint(7, (3, time))).shape == (3, 7, time)


@directed
def test_sequence_models_tied_weights_are_one_tensor(make):
    width = 6 if "Transformer" in str(make) else 5
    model = build(make, TOKENS, tied=True, embedding=width)
    assert model.head.linear.weight is model.front.tokens.weight
    assert model.front.tokens.weight.abs().max() <= width**-0.5
    untied = build(make, TOKENS, embedding=width)
    count = [sum(p.numel() for p in m.parameters()) for m in (untied, model)]
    assert count[0] - count[1] == 7 * width


@directed
def test_sequence_models_reject_invalid_input(make):
    with pytest.raises(Mismatch) as raised:
        build(make, Spec((Real((1, 28, 28)),), Classes(10)))
    assert raised.value.fields["requirement"] == "one input (channel, time) or tokens (time)"
    for spec, options in ((TOKENS, {"embedding": 3}), (PER_STEP, {})):
        with pytest.raises(UsageError) as raised:
            build(make, spec, tied=True, **options)
        assert (raised.value.code, raised.value.fields["key"]) == ("requires", "model.tied=true")
    size = "head_width" if "Transformer" in str(make) else "hidden"
    invalid = [{"layers": 0}, {size: 0}, {"dropout": 1.0, "layers": 1}, {"dropout": 1.0, "layers": 2}]
    for options in invalid:
        with pytest.raises(UsageError) as raised:
            build(make, PER_STEP, **options)
        key = next(iter(options))
        assert (raised.value.fields["key"], raised.value.fields["got"]) == (f"model.{key}", options[key])


@directed
def test_sequence_models_dropout_in_training_only(make):
    model, x = build(make, PER_STEP, dropout=0.5), series()
    assert not torch.equal(model(x), model(x))
    model.eval()
    close(model(x), model(x))


@directed
def test_sequence_models_stack_layers(make):
    one, three = (build(make, PER_STEP, layers=layers) for layers in (1, 3))
    x = series()
    assert len(list(three.parameters())) > len(list(one.parameters()))
    three(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in three.parameters())


@memory
def test_sequence_models_carry_equals_full_sequence(make):
    model, x = build(make, PER_STEP), series()
    whole, last = model(x, carry=model.start(3))
    carry, pieces = model.start(3), []
    for piece in x.split([1, 4, 7], dim=2):
        output, carry = model(piece, carry=carry)
        pieces.append(output)
    close(torch.cat(pieces, 2), whole)
    close(model(x), whole)
    for a, b in zip(leaves(carry), leaves(last), strict=True):
        close(a, b)


@memory
def test_sequence_models_carry_is_batch_first(make):
    model, x = build(make, PER_STEP), series()
    assert isinstance(model, Recurrent)
    _, carry = model(x, carry=model.start(3))
    assert all(len(part) == 3 for part in leaves(carry))
    first = torch.tensor([False, True, False])
    index = torch.arange(3)
    output, after = call(model, Batch((x,), index, first, 0, 0, index), carry)
    close(output[1], model(x)[1])
    assert (output[0] - model(x)[0]).abs().max() > 1e-6
    assert not any(part.requires_grad for part in leaves(after))


@memory
def test_sequence_models_float64_matches_float32(make):
    model, x = build(make, PER_STEP), series()
    exact = model(x)
    torch.testing.assert_close(model.float()(x.float()).double(), exact, rtol=1e-4, atol=1e-5)


@memory
def test_sequence_models_train_in_mixed_precision(make):
    model, x = build(make, PER_STEP).float(), series().float()
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = model(x, carry=model.start(3))
    output.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def leaves(carry):
    if isinstance(carry, torch.Tensor):
        return [carry]
    return [leaf for part in carry for leaf in leaves(part)]
