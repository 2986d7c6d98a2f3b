"""Worker process of a data-parallel run: `python -m dlcli.launch.distributed.worker RANK SIZE FOLDER`."""

import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn


def wanted() -> bool:
    """Whether torchrun started this process as another than the first."""
    return int(os.environ.get("RANK", 0)) > 0


def under_torchrun() -> NoReturn:
    """Be one of torchrun's processes; they end with the first."""
    _leave_signals_to_leader()
    from dlcli.launch.distributed.launcher import follow

    follow(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), Path())
    _end()


def main(rank: int, size: int, place: Path) -> NoReturn:
    """Be one of the processes that the first one started."""
    _leave_signals_to_leader()
    threading.Thread(target=_die_with_leader, daemon=True).start()
    from dlcli.launch.distributed.launcher import follow

    (place / f"{rank}.here").touch()
    follow(rank, size, place)
    _end()


def _end() -> NoReturn:
    """At once: others may be taking their connections down, which must not make this process fail."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _leave_signals_to_leader() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


def _die_with_leader() -> None:
    """The leader holds the other end of our standard input."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
