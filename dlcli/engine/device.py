"""Device and number of threads of a computation."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dlcli.core.errors import UsageError


def choose_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the GPU if PyTorch finds one, else the CPU.

    Raises:
        UsageError: there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError):
        hint = "No CUDA device found." if name.startswith("cuda") else "Use auto, cpu or cuda."
        raise UsageError("invalid_value", key="device", must="an available device", got=name, hint=hint) from None
    return device


@contextmanager
def numeric_settings(threads: int) -> Iterator[None]:
    """Use `threads` CPU threads and flush denormal numbers to zero inside the block; restore both afterwards.

    Gradients that vanish over hundreds of steps become denormal, which the processor handles in microcode: an Elman
    network on the adding problem takes nine times as long with denormals (benchmarks/denormals.py).
    """
    previous_threads = torch.get_num_threads()
    previous_flush = bool(torch.tensor(1e-30) * torch.tensor(1e-10) == 0)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(previous_threads)
        torch.set_flush_denormal(previous_flush)
