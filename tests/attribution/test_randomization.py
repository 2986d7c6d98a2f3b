"""Rank correlation against scipy, and the randomization test."""

import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from dlcli.attribution.gradients import saliency
from dlcli.attribution.randomization import rank_correlation


def test_rank_correlation_matches_spearman_with_ties():
    draw = torch.Generator().manual_seed(0)
    a, b = (torch.randint(5, (3, 4, 4), generator=draw).float() for _ in range(2))
    wanted = [spearmanr(one.flatten(), other.flatten()).statistic for one, other in zip(a, b, strict=True)]
    assert rank_correlation(a, b).tolist() == pytest.approx(wanted)


def test_rank_correlation_of_equal_opposite_and_constant_maps():
    a = torch.arange(12.0).view(1, 3, 4)
    assert rank_correlation(a, 3 * a.exp()).item() == pytest.approx(1)
    assert rank_correlation(a, -a).item() == pytest.approx(-1)
    assert rank_correlation(a, torch.ones_like(a)).isnan().all()


def test_rank_correlation_detects_weight_independent_maps():
    x, unit = torch.rand(6, 1, 8, 8), torch.zeros(6, dtype=torch.int64)
    torch.manual_seed(0)
    first, second = (nn.Sequential(nn.Flatten(), nn.Linear(64, 3)) for _ in range(2))
    same = rank_correlation(saliency(first, x, unit), saliency(first, x, unit))
    other = rank_correlation(saliency(first, x, unit), saliency(second, x, unit))
    assert same.min() > 0.999
    assert other.abs().max() < 0.4
