"""Masks that a whole sequence, or a whole batch, shares."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.nn.stochastic.variational_dropout import VariationalDropout, WordDropout


def test_a_mask_is_zero_at_its_rate_and_keeps_the_mean():
    torch.manual_seed(0)
    mask = VariationalDropout("layer_dropout", 0.25)(torch.zeros(400, 250))
    assert mask.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (mask == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_a_word_is_dropped_everywhere_or_nowhere():
    torch.manual_seed(0)
    tokens = torch.arange(50).repeat(4, 3)
    kept = WordDropout(0.5)(tokens, nn.Embedding(50, 2))
    assert torch.equal(kept[:, :50], kept[:1, 50:100].expand(4, -1))
    assert 10 < (kept[0, :50] == 0).sum() < 40


def test_nothing_is_dropped_when_scoring_or_at_rate_zero():
    assert VariationalDropout("layer_dropout", 0.5).eval()(torch.zeros(2, 3)) is None
    assert VariationalDropout("layer_dropout", 0.0)(torch.zeros(2, 3)) is None
    assert WordDropout(0.5).eval()(torch.zeros(2, 3, dtype=torch.int64), nn.Embedding(2, 2)) is None


def test_a_rate_out_of_range_is_refused_by_its_name():
    with pytest.raises(UsageError, match="output_dropout"):
        VariationalDropout("output_dropout", 1.0)
    with pytest.raises(UsageError, match="word_dropout"):
        WordDropout(-0.1)
