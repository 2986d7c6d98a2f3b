"""The device and the threads of a run."""

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.engine.device import choose_device, computing


def _tiny():
    return (torch.tensor(1e-30) * torch.tensor(1e-10)).item()


def test_numbers_too_small_to_be_normal_are_zero_while_computing_and_not_after():
    assert _tiny() != 0.0
    with computing(1):
        assert _tiny() == 0.0
    assert _tiny() != 0.0


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with computing(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_a_device_that_is_not_here_is_named():
    with pytest.raises(UsageError, match="'nowhere' is not here"):
        choose_device("nowhere")


def test_auto_is_a_device_that_is_here():
    torch.empty(1, device=choose_device("auto"))
