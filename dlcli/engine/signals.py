"""Signals as a flag that a loop looks at, or at once where everything is saved."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlcli.core.trials import Interrupted


class Signals:
    """SIGINT, SIGTERM and SIGUSR1 as a flag that the loop looks at; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._saved = False

    @contextmanager
    def caught(self) -> Iterator["Signals"]:
        """Catch them inside the block, where handlers may be set (the main thread)."""
        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        try:
            before = {number: signal.signal(number, self._receive) for number in wanted}
        except ValueError:
            before = {}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside the block a signal interrupts whatever goes on: everything is saved, and can be done again.

        Raises:
            Interrupted: there was a signal, or is one.
        """
        self._saved = True
        try:
            if self.received is not None:
                raise Interrupted(code(self.received))
            yield
        finally:
            self._saved = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._saved:
            self._saved, self.received = False, number  # once: what is written down after it is not interrupted
            raise Interrupted(code(number))
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGINT and os.isatty(2):
            os.write(2, b"\nfinishing this step; Ctrl-C again stops at once\n")
        self.received = number


def code(number: int) -> int:
    """The exit code of a process that a signal stopped; that of SIGUSR1 says that it can go on."""
    return 75 if number == signal.SIGUSR1 else 128 + number
