"""Progress display of a run: a bar in a terminal, plain lines elsewhere, or none."""

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
_PLAIN_EVERY = 5.0  # seconds between two plain lines


@runtime_checkable
class ProgressDisplay(Protocol):
    """Protocol of progress displays: a context manager that the engine notifies of steps and evaluations."""

    def __enter__(self) -> "ProgressDisplay": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def say(self, text: str) -> None:
        """Show a line and append it to the log of the run."""

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None:
        """Report a step, the fraction of the run that is done, and the latest logged values."""

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        """Report an evaluation: mean metrics of a split, and whether the checkpoint is the best so far."""


def create_display(
    mode: str, title: str, metric: str, note: Callable[[str], None], *, quiet: bool = False
) -> ProgressDisplay:
    """Create the display of a mode; `auto` is a bar if standard error is a terminal, else plain lines.

    Args:
        mode: one of MODES.
        title: title of the run.
        metric: name of the main metric, shown beside the loss.
        note: receives every printed line, for the log of the run.
        quiet: print nothing.
    """
    if mode == "none" or quiet:
        return LineDisplay(title, metric, note, None)
    if mode == "bar" or (mode == "auto" and sys.stderr.isatty()):
        return ProgressBar(title, metric, note)
    return LineDisplay(title, metric, note, sys.stderr)


def format_latest(latest: Mapping[str, float]) -> str:
    """Format the first of the latest values, which the learner optimizes; empty before the first value."""
    name = next(iter(latest), None)
    return "" if name is None else f"{name.replace('_', ' ')} {number(latest[name])}"


class LineDisplay:
    """Display of plain lines, at most one every five seconds; every evaluation is written to the log.

    Args:
        title: title of the run.
        metric: name of the main metric.
        note: receives every printed line, for the log of the run.
        stream: output stream; None prints nothing.
    """

    def __init__(self, title: str, metric: str, note: Callable[[str], None], stream: TextIO | None) -> None:
        self.title, self.metric, self.note, self.stream = title, metric, note, stream
        self.started = self.last_shown = time.monotonic()

    def __enter__(self) -> "LineDisplay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def say(self, text: str) -> None:
        self.note(text)
        self._print(text)

    def _print(self, text: str) -> None:
        """Print a line; after an error, such as a closed pipe, print nothing more, since it must not end the run."""
        if self.stream is None:
            return
        try:
            print(text, file=self.stream, flush=True)
        except OSError:
            self.stream = None

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None:
        now = time.monotonic()
        if self.stream is None or now - self.last_shown < _PLAIN_EVERY:
            return
        self.last_shown = now
        remaining = (now - self.started) * (1 - done) / done if done > 0 else float("nan")
        value = f"  {text}" if (text := format_latest(latest)) else ""
        self._print(f"{self.title}  step {step:,}  {done:4.0%}{value}  {duration(remaining)} left")

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        values = "  ".join(f"{name} {number(value)}" for name, value in means.items())
        self.note(f"step {step}  {split}  {values}{'  best' if best else ''}")


class ProgressBar:
    """Progress bar with step, loss, best validation score, elapsed and remaining time.

    Args:
        title: title of the run.
        metric: name of the main metric.
        note: receives every printed line, for the log of the run.
    """

    def __init__(self, title: str, metric: str, note: Callable[[str], None]) -> None:
        self.metric, self.note = metric, note
        self.lines = LineDisplay(title, metric, note, None)
        self.bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[status]}"),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=8,
        )
        self.task = self.bar.add_task(title, total=1.0, status="")
        self.best = ""
        self.loss = ""

    def __enter__(self) -> "ProgressBar":
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
        self.loss = format_latest(latest) or self.loss
        self.bar.update(self.task, completed=done, status=f"step {step:,}  {self.loss}  {self.best}")

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        self.lines.scored(step, split, means, best)
        if best and self.metric in means:
            self.best = f"best {split} {self.metric} {number(means[self.metric])}"
