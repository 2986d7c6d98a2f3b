"""News between machines that share nothing but a file system: a file a job, a line a piece of news."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from dlcli.core.executor import Job, News, Perform, Report

_EVERY = 1.0  # seconds between two lines of how far a job is


class Letters:
    """Writes news of a job to its file: where its run directory is at once, how far it is now and then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run, self.written = "", 0.0

    def __call__(self, news: News) -> None:
        now = time.monotonic()
        if news.run == self.run and now - self.written < _EVERY:
            return
        self.run, self.written = news.run, now
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(news)) + "\n")


class Mailbox:
    """Reads what is new in the files of a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._read: dict[int, int] = {}

    def path(self, number: int) -> Path:
        return self.folder / f"{number}.jsonl"

    def empty(self, number: int) -> None:
        """Forget what an earlier job of this number wrote."""
        self.path(number).unlink(missing_ok=True)
        self._read.pop(number, None)

    def news(self, number: int) -> Iterator[News]:
        """Whole lines that were not read before."""
        try:
            with self.path(number).open("rb") as file:
                file.seek(self._read.get(number, 0))
                content = file.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._read[number] = self._read.get(number, 0) + len(whole)
        for line in whole.splitlines():
            yield News(**json.loads(line))


def perform_by_mail(perform: Perform, job: Job, box: str) -> Report:
    """Do a job, its news going to a file."""
    return perform(job, Letters(Path(box)))
