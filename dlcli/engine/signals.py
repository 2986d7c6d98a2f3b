"""SIGINT, SIGTERM and SIGUSR1 as a flag for the training loop."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlcli.core.trials import TrialsInterrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Signals:
    """Signal handlers that set `received`, which the loop reads after each step; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._interruptible = False

    @contextmanager
    def caught(self) -> Iterator["Signals"]:
        """Install the handlers inside the block; does nothing outside the main thread."""
        try:
            previous = {number: signal.signal(number, self._receive) for number in _SIGNALS}
        except ValueError:
            previous = {}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let signals interrupt the block at once: its work is saved or can be repeated.

        Raises:
            Interrupted: a signal arrived before or inside the block.
        """
        self._interruptible = True
        try:
            if self.received is not None:
                raise TrialsInterrupted(signal_exit_code(self.received))
            yield
        finally:
            self._interruptible = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._interruptible:
            # Only once: recording the end of the run must not be interrupted.
            self._interruptible, self.received = False, number
            raise TrialsInterrupted(signal_exit_code(number))
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGINT and os.isatty(2):
            os.write(2, b"\nfinishing this step; press Ctrl-C again to stop at once\n")
        self.received = number


def signal_exit_code(number: int) -> int:
    """Return the exit code of a process stopped by a signal: 75 (resumable) for SIGUSR1, else 128 + number."""
    return 75 if number == signal.SIGUSR1 else 128 + number
