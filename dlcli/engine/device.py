"""The device and the threads that a run computes with."""

from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """Compute with so many threads, and take numbers too small to be normal for zero; both are given back.

    Gradients that vanish over hundreds of steps end in such numbers, which the processor handles in microcode: an
    Elman network on the adding problem takes nine times as long with them (benchmarks/denormals.py).
    """
    before = torch.get_num_threads()
    flushed = bool(torch.tensor(1e-30) * torch.tensor(1e-10) == 0)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(flushed)
