"""Progress display of a sweep: a table in a terminal, a line per event elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, runtime_checkable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dlcli.core.executor import NOT_STARTED, JobResult, ProgressEvent
from dlcli.report.formatting import duration, number
from dlcli.report.sanitize import one_line

_EVERY = 5.0  # seconds between plain status lines
_MARGIN = 4  # lines of the terminal that the rows do not use
_STATES = {0: "completed", 3: "diverged", 75: "preempted", 130: "stopped", 143: "stopped"}
_COLORS = {"completed": "green", "running": "cyan", "starting": "cyan", "waiting": "dim"}
_SHOWN_FIRST = ("running", "starting", "failed", "diverged", "stopped", "preempted", "completed", "waiting")


@dataclass
class RunState:
    """State of a run in the display.

    Args:
        what: title of the run.
        state: waiting, starting, running, or the final status.
        news: the latest message.
        begun: time in seconds and fraction done at the first step of this process.
        ended: time of the report in seconds.
    """

    what: str
    state: str = "waiting"
    news: ProgressEvent = ProgressEvent()  # noqa: RUF009 - frozen
    begun: tuple[float, float] | None = None
    ended: float | None = None

    def hear(self, what: ProgressEvent | JobResult) -> None:
        """Update the state from a message or the final report."""
        if isinstance(what, JobResult):
            self.state = "waiting" if what == NOT_STARTED else _STATES.get(what.exit_code, "failed")
            self.ended = time.monotonic()
            self.news = self._final(what)
            return
        if what.step > 0 and self.begun is None:
            self.begun = (time.monotonic(), what.done)
        if not what.step:  # the run starts or restarts
            self.begun, self.ended = None, None
        self.state, self.news = ("running" if what.metric else "starting"), what

    def _final(self, report: JobResult) -> ProgressEvent:
        """The latest message with the test score of the main metric, if the report has one."""
        metric = self.news.metric.rpartition(" ")[2]
        value = report.metrics.get("test", {}).get(metric)
        return self.news if value is None else replace(self.news, metric=f"test {metric}", value=value)

    @property
    def value(self) -> str:
        """Name and value of the latest value."""
        return "" if self.news.value is None else f"{self.news.metric} {number(self.news.value)}"

    @property
    def left(self) -> str:
        """Estimated remaining time, from the speed since the run was started or resumed."""
        if self.begun is None or self.state != "running":
            return ""
        started, done_before = self.begun
        progress = self.news.done - done_before
        return duration((time.monotonic() - started) * (1 - self.news.done) / progress) if progress > 0 else ""


@runtime_checkable
class SweepDisplay(Protocol):
    """Protocol of sweep displays: a context manager that receives the messages of the runs."""

    def __enter__(self) -> "SweepDisplay": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def hear(self, place: int, what: ProgressEvent | JobResult) -> None:
        """Update the run with an index from a message or the final report."""


def create_sweep_display(mode: str, titles: Sequence[str], *, quiet: bool = False) -> SweepDisplay:
    """Create the display of a mode; `auto` is a table if standard error is a terminal, else plain lines.

    Args:
        mode: one of `progress.MODES`; `none` shows only failures.
        titles: titles of the runs.
        quiet: show only failures.
    """
    rows = [RunState(one_line(title)) for title in titles]
    if quiet or mode == "none":
        return SweepLines(rows, only_failures=True)
    if mode == "bar" or (mode == "auto" and sys.stderr.isatty()):
        return SweepTable(rows)
    return SweepLines(rows)


def format_failure(place: int, row: RunState, report: JobResult) -> str:
    """Format a failure as one line, with the last line of its error."""
    error = _error_lines(report)[-1].strip()
    return one_line(f"[{place + 1}] {row.state}, exit code {report.exit_code}: {row.what}: {error}")


def _error_lines(report: JobResult) -> list[str]:
    return [line for line in report.error.splitlines() if line.strip()] or ["?"]


def note(place: int, row: RunState, news: ProgressEvent) -> str:
    """Format the remark of a message as one line."""
    return one_line(f"[{place + 1}] {row.what}: {news.note}")


def is_failure(what: ProgressEvent | JobResult) -> bool:
    """True for the report of a failed run."""
    return isinstance(what, JobResult) and what.exit_code != 0 and what != NOT_STARTED


def summary(rows: Sequence[RunState]) -> str:
    """Number of runs by state: `2 running, 3 completed, 11 waiting`."""
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{counts[state]} {state}" for state in _SHOWN_FIRST if counts[state])


class SweepLines:
    """Sweep display of plain lines: one when a run starts or ends, and a status every few seconds.

    Args:
        rows: the runs.
        every: seconds between status lines.
        only_failures: print only failures.
    """

    def __init__(self, rows: Sequence[RunState], *, every: float = _EVERY, only_failures: bool = False) -> None:
        self.rows, self.every, self.only_failures = rows, every, only_failures
        self.last_status = time.monotonic()

    def __enter__(self) -> "SweepLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def hear(self, place: int, what: ProgressEvent | JobResult) -> None:
        row = self.rows[place]
        row.hear(what)
        if isinstance(what, JobResult) and is_failure(what):
            self._print(format_failure(place, row, what))
        elif self.only_failures or what == NOT_STARTED:
            return
        elif isinstance(what, ProgressEvent) and what.note:
            self._print(note(place, row, what))
        elif row.state in ("starting", "completed"):
            self._print(f"[{place + 1}/{len(self.rows)}] {row.what}  {row.state}  {row.value}".rstrip())
        elif time.monotonic() - self.last_status >= self.every:
            self.last_status = time.monotonic()
            self._print(summary(self.rows))
            for other in (other for other in self.rows if other.state == "running"):
                self._print(f"  {other.what}  step {other.news.step:,}  {other.value}  {other.left or '?'} left")

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


class SweepTable:
    """Sweep display of a live table with as many rows as fit the terminal; failures are printed above it."""

    def __init__(self, rows: Sequence[RunState]) -> None:
        self.rows = rows
        self.console = Console(stderr=True, highlight=False)
        self.live = Live(console=self.console, get_renderable=self.table, refresh_per_second=4, transient=True)

    def __enter__(self) -> "SweepTable":
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def hear(self, place: int, what: ProgressEvent | JobResult) -> None:
        self.rows[place].hear(what)
        if isinstance(what, JobResult) and is_failure(what):
            text = format_failure(place, self.rows[place], what)
            self.console.print(Text(text, style="red"), soft_wrap=True)
        elif isinstance(what, ProgressEvent) and what.note:
            self.console.print(Text(note(place, self.rows[place], what), style="yellow"), soft_wrap=True)

    def table(self) -> Group:
        """Render the most relevant rows in their order, and the number of runs by state."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("#", "run", "state", "step", "metric", "left"):
            table.add_column(name, justify="right" if name in ("#", "step", "left") else "left", no_wrap=True)
        for index in self._selected():
            row = self.rows[index]
            state = Text(row.state, style=_COLORS.get(row.state, "red"))
            step = f"{row.news.step:,}" if row.news.step else ""
            table.add_row(str(index + 1), Text(row.what), state, step, Text(row.value), row.left)
        return Group(table, Text(summary(self.rows), style="dim", no_wrap=True))

    def _selected(self) -> list[int]:
        """Indices of the rows that fit: running and failed runs first, of ended runs the latest first."""
        height = max(3, self.console.height - _MARGIN)
        ranked = sorted(range(len(self.rows)), key=self._priority)
        return sorted(ranked[:height])

    def _priority(self, index: int) -> tuple[int, float]:
        row = self.rows[index]
        return _SHOWN_FIRST.index(row.state), -row.ended if row.ended is not None else float(index)


def print_failures(failures: Sequence[tuple[int, str, JobResult]]) -> None:
    """Print a table of failed runs on standard error.

    Args:
        failures: index, title and report of each run.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"{len(failures)} failed", title_justify="left")
    table.add_column("#", justify="right")
    for name in ("run", "exit code", "error"):
        table.add_column(name, overflow="fold")
    for index, title, report in failures:
        error = one_line(_error_lines(report)[0])
        table.add_row(str(index + 1), Text(one_line(title)), str(report.exit_code), Text(error))
    Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 200).print(table)
