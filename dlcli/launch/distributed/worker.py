"""Worker process of a data-parallel run: `python -m dlcli.launch.distributed.worker RANK SIZE FOLDER`."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn


def is_torchrun_worker() -> bool:
    """Return True if torchrun started this process with a rank above 0."""
    return int(os.environ.get("RANK", 0)) > 0


def under_torchrun() -> NoReturn:
    """Execute the steps of a rank that torchrun started, then exit."""
    _ignore_signals()
    from dlcli.launch.distributed.launcher import run_rank

    run_rank(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), Path())
    _end()


def main(rank: int, size: int, folder: Path) -> NoReturn:
    """Execute the steps of a rank that rank 0 started, then exit.

    Args:
        rank: from 1 to size - 1.
        size: number of processes.
        folder: shared folder for the process group.
    """
    _ignore_signals()
    threading.Thread(target=_exit_with_rank_0, daemon=True).start()
    from dlcli.launch.distributed.launcher import run_rank

    (folder / f"{rank}.here").touch()
    run_rank(rank, size, folder)
    _end()


def _end() -> NoReturn:
    """Exit without cleanup: a connection that another rank closes must not make this process fail."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def _exit_with_rank_0() -> None:
    """Exit when standard input closes: rank 0 holds its other end."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
