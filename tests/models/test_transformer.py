"""Causal Transformer."""

import math

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Recurrent
from dlcli.models.sequence.transformer import Transformer, positional_encoding

SPEC = Spec((Real((2, None)),), Classes(3, (None,)))
HYPER = {"dropout": 0.0, "embedding": 4, "embedding_dropout": 0.0, "tied": False}


def build(**hyper):
    torch.manual_seed(0)
    return Transformer(SPEC, **HYPER | {"head_width": 3, "heads": 2, "feedforward": 24, "layers": 2} | hyper).double()


def series(time):
    return torch.randn(2, 2, time, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_transformer_depends_on_order():
    model, x = build(), series(6)
    shuffled = x[:, :, [2, 0, 1, 4, 3, 5]]
    assert (model(x) - model(shuffled))[..., -1].abs().min() > 1e-6


def test_transformer_without_positional_encoding_is_permutation_invariant(monkeypatch):
    monkeypatch.setattr("dlcli.models.sequence.transformer.positional_encoding", lambda like: torch.zeros_like(like[0]))
    model, x = build(layers=1), series(6)
    shuffled = x[:, :, [2, 0, 1, 4, 3, 5]]
    torch.testing.assert_close(model(x)[..., -1], model(shuffled)[..., -1])


def test_transformer_accepts_longer_sequences():
    model, x = build(), series(300)
    torch.testing.assert_close(model(x)[..., :5], model(x[..., :5]))


def test_transformer_attention_matches_hand_computation():
    attention = build(layers=1).blocks[0].attend[1]
    h = torch.randn(2, 5, 6, dtype=torch.float64)
    query, key, value = (part.unflatten(2, (2, 3)).transpose(1, 2) for part in attention.inputs(h).chunk(3, 2))
    later = torch.ones(5, 5).triu(1).bool()
    weights = (query @ key.mT / math.sqrt(3)).masked_fill(later, -torch.inf).softmax(-1)
    torch.testing.assert_close(attention(h), attention.output((weights @ value).transpose(1, 2).flatten(2)))


@pytest.mark.parametrize("width", [4, 7])
def test_positional_encoding_matches_paper(width):
    table = positional_encoding(torch.zeros(1, 9, width, dtype=torch.float64))
    for place in (0, 1, 8):
        for channel in range(width):
            angle = place / 10_000 ** (2 * (channel // 2) / width)
            wanted = math.cos(angle) if channel % 2 else math.sin(angle)
            assert table[place, channel].item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("head_width", [1, 2, 5, 7])
def test_transformer_parameter_count_increases_with_head_width(head_width):
    small, large = build(head_width=head_width, heads=3), build(head_width=head_width + 1, heads=3)
    assert small(series(4)).shape == (2, 3, 4)
    count = [sum(p.numel() for p in model.parameters()) for model in (small, large)]
    assert count[0] < count[1]


def test_transformer_has_no_carry_and_rejects_zero_heads():
    assert not isinstance(build(), Recurrent)
    with pytest.raises(UsageError) as raised:
        build(heads=0)
    assert raised.value.fields["key"] == "model.heads"


@pytest.mark.parametrize("tied", [True, False])
def test_transformer_scales_token_embeddings(tied):
    spec = Spec((Classes(50, (None,)),), Classes(50, (None,)))
    hyper = HYPER | {"tied": tied, "embedding": 64, "head_width": 16, "heads": 4, "feedforward": 64, "layers": 1}
    torch.manual_seed(0)
    model, entered = Transformer(spec, **hyper), []
    model.inputs.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    model(torch.arange(50)[None])
    assert 0.4 < entered[0].square().mean().sqrt() < 1.2
