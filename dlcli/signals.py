"""Signals as a flag that a loop looks at."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Signals:
    """SIGINT, SIGTERM and SIGUSR1 as a flag that the loop looks at; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.received: int | None = None

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

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        if number == signal.SIGINT and os.isatty(2):
            os.write(2, b"\nfinishing this step; Ctrl-C again stops at once\n")
        self.received = number
