"""The device and the threads that a run computes with."""

import torch

from dlcli.core.errors import UsageError


def choose_device(name: str) -> torch.device:
    """The device of a name; auto is the GPU when there is one.

    Raises:
        UsageError: there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError):
        raise UsageError(f"device {name!r} is not here (auto, cpu, or cuda where PyTorch finds a GPU)") from None
    return device


def use_threads(number: int) -> None:
    """Compute with so many threads, and take numbers too small to be normal for zero.

    Gradients that vanish over hundreds of steps end in such numbers, which the processor handles in microcode: an
    Elman network on the adding problem takes nine times as long with them (benchmarks/denormals.py).
    """
    torch.set_num_threads(number)
    torch.set_flush_denormal(True)
