"""Isolation of experiment trackers: each works in its own thread, and its failure does not affect the run."""

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

_MAX_QUEUED = 10_000  # rows waiting for a slow tracker
_TIMEOUT = 20.0  # seconds that a run waits for a tracker at the end


@dataclass(frozen=True)
class RunDescription:
    """Description of a run for a tracker.

    Args:
        path: run directory.
        id: id of the run.
        name: display name.
        config: resolved configuration.
        since: step after which rows follow; above 0 for a resumed run.
    """

    path: Path
    id: str
    name: str
    config: Mapping[str, Any]
    since: int


@runtime_checkable
class Tracker(Protocol):
    """Interface of an experiment tracker."""

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        """Record the metrics of a split at a step."""

    def end(self, info: Mapping[str, Any]) -> None:
        """Record the end of the run; `info` is the content of run.json."""


class TrackerThread:
    """Observer that passes rows to a tracker by a queue and never raises; the tracker is detached at its first error.

    Args:
        name: name of the tracker.
        make: opens the tracker.
        note: writes a line into the run's log.
    """

    def __init__(self, name: str, make: Callable[[], Tracker], note: Callable[[str], None]) -> None:
        self.name = name
        self._note = note
        self._queue: queue.Queue[tuple[Any, ...]] = queue.Queue(_MAX_QUEUED)
        self._error: str | None = None
        self._detached = False
        self._thread = threading.Thread(target=self._work, args=(make,), daemon=True, name=f"logger {name}")
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads on this machine
            self._error = str(error)

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        """Queue a row of metrics unless the tracker is detached."""
        self._put(("row", step, split, dict(row)))

    def end(self, info: Mapping[str, Any]) -> None:
        """Queue the end of the run and wait for the tracker, at most `_TIMEOUT` seconds."""
        self._put(("end", dict(info)))
        with contextlib.suppress(KeyboardInterrupt):
            if not self._detached:
                self._thread.join(_TIMEOUT)
        if self._error is None and self._thread.is_alive():
            self._error = f"not finished {_TIMEOUT:g} s after the end of the run"
        self._detach_on_error()

    def _put(self, item: tuple[Any, ...]) -> None:
        self._detach_on_error()
        if self._detached:
            return
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._error = f"{_MAX_QUEUED:,} rows behind"
            self._detach_on_error()

    def _detach_on_error(self) -> None:
        """Report an error of the tracker once, from the thread of the run."""
        if self._error is None or self._detached:
            return
        self._detached = True
        text = f"logger {self.name} detached, the run is not affected: {self._error}"
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)  # noqa: T201
        with contextlib.suppress(OSError, ValueError):
            self._note(text)

    def _work(self, make: Callable[[], Tracker]) -> None:
        try:
            tracker = make()
            while True:
                method, *arguments = self._queue.get()
                getattr(tracker, method)(*arguments)
                if method == "end" or self._detached:
                    return
        except BaseException as error:  # noqa: BLE001 - no exception of a tracker may reach the run
            message = (str(error).strip().splitlines() or [""])[0][:200]
            self._error = f"{type(error).__name__}: {message}"
