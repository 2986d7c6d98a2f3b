"""A tracker at arm's length: it works in a thread of its own, and whatever happens to it the run goes on."""

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

_WAITING = 10_000  # rows that a slow tracker may be behind
_PATIENCE = 20.0  # seconds that a run waits for it at the end


@dataclass(frozen=True)
class Facts:
    """What a tracker is told of a run.

    Args:
        path: the run directory.
        id: of the run.
        name: for people.
        config: resolved.
        since: the step that the rows begin after; above 0 where a run goes on.
    """

    path: Path
    id: str
    name: str
    config: Mapping[str, Any]
    since: int


@runtime_checkable
class Tracker(Protocol):
    """Somebody else's record of a run."""

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        """A row of metrics."""

    def end(self, info: Mapping[str, Any]) -> None:
        """The run has ended; `info` is its run.json."""


class Mirror:
    """Hands rows to a tracker and never raises, waits or slows: the first trouble is said once, and it is dropped.

    Args:
        name: of the tracker.
        make: opens it.
        note: writes into the run's log.
    """

    def __init__(self, name: str, make: Callable[[], Tracker], note: Callable[[str], None]) -> None:
        self.name = name
        self._note = note
        self._queue: queue.Queue[tuple[Any, ...]] = queue.Queue(_WAITING)
        self._trouble: str | None = None
        self._dropped = False
        self._thread = threading.Thread(target=self._work, args=(make,), daemon=True, name=f"logger {name}")
        try:
            self._thread.start()
        except RuntimeError as error:  # the machine has no thread left
            self._trouble = str(error)

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        """Pass a row on, where the tracker still lives."""
        self._pass(("row", step, split, dict(row)))

    def end(self, info: Mapping[str, Any]) -> None:
        """Let it finish, for a while."""
        self._pass(("end", dict(info)))
        with contextlib.suppress(KeyboardInterrupt):
            if not self._dropped:
                self._thread.join(_PATIENCE)
        if self._trouble is None and self._thread.is_alive():
            self._trouble = f"it was not done {_PATIENCE:g} s after the end"
        self._drop_if_troubled()

    def _pass(self, item: tuple[Any, ...]) -> None:
        self._drop_if_troubled()
        if self._dropped:
            return
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._trouble = f"it is {_WAITING:,} rows behind"
            self._drop_if_troubled()

    def _drop_if_troubled(self) -> None:
        """Say what went wrong, from the thread that the run belongs to."""
        if self._trouble is None or self._dropped:
            return
        self._dropped = True
        text = f"logger {self.name} is dropped, the run is not affected: {self._trouble}"
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)  # noqa: T201
        with contextlib.suppress(OSError, ValueError):
            self._note(text)

    def _work(self, make: Callable[[], Tracker]) -> None:
        try:
            tracker = make()
            while True:
                what, *given = self._queue.get()
                getattr(tracker, what)(*given)
                if what == "end" or self._dropped:
                    return
        except BaseException as error:  # noqa: BLE001 - nothing that a tracker does may reach the run
            lines = str(error).strip().splitlines() or [""]
            self._trouble = f"{type(error).__name__}: {lines[0][:200]}"
