"""Padding of the Nature CNN."""

import torch

from dlcli.nn.conv.nature_cnn import same_padding, valid_padding


def test_same_padding_matches_tensorflow():
    assert same_padding(84, 8, 4) == (2, 2)
    assert same_padding(21, 4, 2) == (1, 2)  # the odd zero comes last
    assert same_padding(11, 3, 1) == (1, 1)
    assert same_padding(9, 1, 3) == (0, 0)
    for length in range(1, 40):
        for kernel, stride in ((8, 4), (4, 2), (3, 1), (2, 3)):
            places = torch.arange(0, max(length + sum(same_padding(length, kernel, stride)) - kernel, 0) + 1, stride)
            assert len(places) == -(-length // stride)


def test_valid_padding_is_zero():
    assert valid_padding(84, 8, 4) == (0, 0)
