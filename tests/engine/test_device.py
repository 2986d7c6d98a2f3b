"""Device selection, number of threads and flushing of denormals."""

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.engine.device import choose_device, numeric_settings


def _denormal():
    return (torch.tensor(1e-30) * torch.tensor(1e-10)).item()


def test_computing_flushes_denormals_inside_the_block_only():
    assert _denormal() != 0.0
    with numeric_settings(1):
        assert _denormal() == 0.0
    assert _denormal() != 0.0


def test_computing_restores_the_number_of_threads():
    before = torch.get_num_threads()
    with numeric_settings(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_choose_device_rejects_an_unavailable_device():
    with pytest.raises(UsageError) as error:
        choose_device("nowhere")
    assert error.value.code == "invalid_value"
    assert (error.value.fields["key"], error.value.fields["got"]) == ("device", "nowhere")


def test_choose_device_auto_is_available():
    torch.empty(1, device=choose_device("auto"))
