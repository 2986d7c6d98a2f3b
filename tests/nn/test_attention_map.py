"""Attention maps of non-local blocks."""

import torch

from dlcli.nn.attention.attention_map import _relative_to_mean


def test_attention_map_color_is_zero_for_uniform_and_one_for_one_hot_weights():
    equal, lone = torch.full((1, 4, 4), 1 / 16), torch.zeros(1, 4, 4)
    lone[0, 1, 2] = 1.0
    assert _relative_to_mean(equal).abs().max() < 1e-6
    share = _relative_to_mean(lone)
    assert share[0, 1, 2] == 15 / 16
    assert (share < 0).sum() == 15
    assert share.min() == -1 / 16


def test_attention_map_negative_weights_are_below_mean():
    share = _relative_to_mean(torch.tensor([[[-2.0, 1.0], [1.0, 0.0]]]))
    assert share.flatten().tolist() == [-1.0, 0.5, 0.5, 0.0]
