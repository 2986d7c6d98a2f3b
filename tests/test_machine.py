"""The device and the threads of a run."""

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.machine import choose_device, use_threads


def test_numbers_too_small_to_be_normal_become_zero():
    use_threads(1)
    tiny = torch.tensor(1e-30) * torch.tensor(1e-10)
    assert tiny.item() == 0.0


def test_a_device_that_is_not_here_is_named():
    with pytest.raises(UsageError, match="'nowhere' is not here"):
        choose_device("nowhere")


def test_auto_is_a_device_that_is_here():
    torch.empty(1, device=choose_device("auto"))
