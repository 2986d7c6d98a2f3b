"""Attention as a picture: colour is for what differs from an equal share."""

import torch

from dlcli.nn.attention.attention_map import _uneven


def test_equal_weights_have_no_colour_and_a_lone_one_has_all_of_it():
    equal, lone = torch.full((1, 4, 4), 1 / 16), torch.zeros(1, 4, 4)
    lone[0, 1, 2] = 1.0
    assert _uneven(equal).abs().max() < 1e-6
    share = _uneven(lone)
    assert share[0, 1, 2] == 15 / 16
    assert (share < 0).sum() == 15
    assert share.min() == -1 / 16


def test_negative_weights_are_below_the_average():
    share = _uneven(torch.tensor([[[-2.0, 1.0], [1.0, 0.0]]]))
    assert share.flatten().tolist() == [-1.0, 0.5, 0.5, 0.0]
