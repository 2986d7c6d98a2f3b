"""What is shown while a run goes on: a bar in a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, TextIO, runtime_checkable

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from dlcli.report.formatting import duration, number

MODES = ("auto", "bar", "plain", "none")
_TELLING = ("loss", "fitness_best", "best", "return")  # the first that a learner reports
_PLAIN_EVERY = 5.0  # seconds between two plain lines


@runtime_checkable
class Shown(Protocol):
    """The engine's watcher, as a context, with a voice."""

    def __enter__(self) -> "Shown": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """A line for the user and the run's log."""

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None: ...

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None: ...


def choose(mode: str, title: str, metric: str, note: Callable[[str], None], *, quiet: bool = False) -> Shown:
    """The display of a mode; `auto` is a bar where standard error is a terminal, else plain lines.

    Args:
        mode: one of MODES.
        title: what is running.
        metric: the main metric, shown beside the loss.
        note: where every line goes as well (the run's log).
        quiet: lines are only noted.
    """
    if mode == "none" or quiet:
        return Plain(title, metric, note, None)
    if mode == "bar" or (mode == "auto" and sys.stderr.isatty()):
        return Bar(title, metric, note)
    return Plain(title, metric, note, sys.stderr)


def telling(latest: Mapping[str, float]) -> str:
    """Of the latest values the one that says how training goes; nothing while there is none."""
    names = [name for name in _TELLING if name in latest]
    return f"{names[0].replace('_', ' ')} {number(latest[names[0]])}" if names else ""


class Plain:
    """A line at most every five seconds, so that logs stay short; every scoring is noted.

    Args:
        stream: where lines go beside the note; None for nowhere.
    """

    def __init__(self, title: str, metric: str, note: Callable[[str], None], stream: TextIO | None) -> None:
        self.title, self.metric, self.note, self.stream = title, metric, note, stream
        self.begun = self.shown = time.monotonic()

    def __enter__(self) -> "Plain":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def say(self, text: str) -> None:
        self.note(text)
        self._print(text)

    def _print(self, text: str) -> None:
        """Show a line, as long as somebody reads them: a closed pipe does not end a run."""
        if self.stream is None:
            return
        try:
            print(text, file=self.stream, flush=True)
        except OSError:
            self.stream = None

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None:
        now = time.monotonic()
        if self.stream is None or now - self.shown < _PLAIN_EVERY:
            return
        self.shown = now
        left = (now - self.begun) * (1 - done) / done if done > 0 else float("nan")
        told = f"  {words}" if (words := telling(latest)) else ""
        self._print(f"{self.title}  step {step:,}  {done:4.0%}{told}  {duration(left)} left")

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        values = "  ".join(f"{name} {number(value)}" for name, value in means.items())
        self.note(f"step {step}  {split}  {values}{'  best' if best else ''}")


class Bar:
    """A bar with the loss, the best validation score so far, and the time that is left."""

    def __init__(self, title: str, metric: str, note: Callable[[str], None]) -> None:
        self.metric, self.note = metric, note
        self.lines = Plain(title, metric, note, None)
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[words]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=8,
        )
        self.task = self.bar.add_task(title, total=1.0, words="")
        self.best = ""
        self.loss = ""

    def __enter__(self) -> "Bar":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def say(self, text: str) -> None:
        self.note(text)
        self.bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None:
        self.loss = telling(latest) or self.loss
        self.bar.update(self.task, completed=done, words=f"step {step:,}  {self.loss}  {self.best}")

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        self.lines.scored(step, split, means, best)
        if best and self.metric in means:
            self.best = f"best {split} {self.metric} {number(means[self.metric])}"
