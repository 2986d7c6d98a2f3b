"""Run status and exit code of an exception."""

import errno
import os

import torch

from dlcli.core.errors import UsageError
from dlcli.core.trials import TrialsInterrupted
from dlcli.engine.fit import RunOutcome


def status_from_exception(error: BaseException) -> RunOutcome:
    """Return the status, exit code and reason of a run that an exception ended."""
    if isinstance(error, TrialsInterrupted):
        status = "preempted" if error.exit_code == 75 else "stopped"
        return RunOutcome(status, error.exit_code, "interrupted; all running work is saved")
    if isinstance(error, KeyboardInterrupt):
        return RunOutcome("stopped", 130, "interrupted twice")
    if is_out_of_memory(error):
        return RunOutcome("failed", 4, "out of memory")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return RunOutcome("failed", 1, f"{os.strerror(error.errno)}; the last checkpoint is intact")
    message = (str(error).strip().splitlines() or [""])[0][:300]
    return RunOutcome("failed", 2 if isinstance(error, UsageError) else 1, f"{type(error).__name__}: {message}")


def is_out_of_memory(error: BaseException) -> bool:
    """Return True for memory errors of Python and of PyTorch's allocators."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )
