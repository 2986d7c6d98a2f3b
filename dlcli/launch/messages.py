"""Progress events through a shared file system: one file per job, one JSON line per event."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from dlcli.core.executor import Job, JobResult, JobRunner, ProgressEvent

_INTERVAL = 1.0  # minimum seconds between two progress events of a job


class EventWriter:
    """Append the events of a job to its file: its run directory at once, its progress at most once per second."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run, self.written = "", 0.0

    def __call__(self, event: ProgressEvent) -> None:
        now = time.monotonic()
        if event.run == self.run and now - self.written < _INTERVAL:
            return
        self.run, self.written = event.run, now
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(event)) + "\n")


class EventReader:
    """Read new events from the files of a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._offsets: dict[int, int] = {}

    def path(self, number: int) -> Path:
        return self.folder / f"{number}.jsonl"

    def empty(self, number: int) -> None:
        """Delete the events of an earlier job with this number."""
        self.path(number).unlink(missing_ok=True)
        self._offsets.pop(number, None)

    def news(self, number: int) -> Iterator[ProgressEvent]:
        """Yield the events of complete lines that have not been read before."""
        try:
            with self.path(number).open("rb") as file:
                file.seek(self._offsets.get(number, 0))
                content = file.read()
        except FileNotFoundError:
            return
        complete = content[: content.rfind(b"\n") + 1]
        self._offsets[number] = self._offsets.get(number, 0) + len(complete)
        for line in complete.splitlines():
            yield ProgressEvent(**json.loads(line))


def perform_with_events(perform: JobRunner, job: Job, box: str) -> JobResult:
    """Execute a job and append its events to the file `box`."""
    return perform(job, EventWriter(Path(box)))
