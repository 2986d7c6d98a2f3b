"""Masks shared by a sequence or a batch."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.nn.stochastic.variational_dropout import VariationalDropout, WordDropout


def test_variational_dropout_mask_has_rate_and_mean():
    torch.manual_seed(0)
    mask = VariationalDropout("layer_dropout", 0.25)(torch.zeros(400, 250))
    assert mask.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (mask == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_word_dropout_zeroes_all_occurrences_of_a_word():
    torch.manual_seed(0)
    tokens = torch.arange(50).repeat(4, 3)
    kept = WordDropout(0.5)(tokens, nn.Embedding(50, 2))
    assert torch.equal(kept[:, :50], kept[:1, 50:100].expand(4, -1))
    assert 10 < (kept[0, :50] == 0).sum() < 40


def test_variational_dropout_is_none_in_evaluation_and_at_rate_zero():
    assert VariationalDropout("layer_dropout", 0.5).eval()(torch.zeros(2, 3)) is None
    assert VariationalDropout("layer_dropout", 0.0)(torch.zeros(2, 3)) is None
    assert WordDropout(0.5).eval()(torch.zeros(2, 3, dtype=torch.int64), nn.Embedding(2, 2)) is None


def test_variational_dropout_rejects_invalid_rate():
    with pytest.raises(UsageError) as raised:
        VariationalDropout("output_dropout", 1.0)
    assert raised.value.fields["key"] == "model.output_dropout"
    with pytest.raises(UsageError) as raised:
        WordDropout(-0.1)
    assert raised.value.fields["key"] == "model.word_dropout"
