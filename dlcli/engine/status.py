"""How a run ends that an exception ended."""

import errno
import os

import torch

from dlcli.core.errors import UsageError
from dlcli.core.trials import Interrupted
from dlcli.engine.fit import Ending


def broken(error: BaseException) -> Ending:
    """How a run ends that an exception ended."""
    if isinstance(error, Interrupted):
        status = "preempted" if error.exit_code == 75 else "stopped"
        return Ending(status, error.exit_code, "stopped: what was running is saved")
    if isinstance(error, KeyboardInterrupt):
        return Ending("stopped", 130, "interrupted twice")
    if is_out_of_memory(error):
        return Ending("failed", 4, "out of memory")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Ending("failed", 1, f"{os.strerror(error.errno)}; the last checkpoint is intact")
    lines = str(error).strip().splitlines() or [""]
    return Ending("failed", 2 if isinstance(error, UsageError) else 1, f"{type(error).__name__}: {lines[0][:300]}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the machine, or PyTorch's allocator, had no more."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )
