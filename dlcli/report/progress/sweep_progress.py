"""What is shown while many runs go on: a table in a terminal, a line an event elsewhere."""

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

from dlcli.core.executor import NOT_BEGUN, News, Report
from dlcli.report.formatting import duration, number
from dlcli.report.sanitize import one_line

_EVERY = 5.0  # seconds between two plain lines of how far they are
_MARGIN = 4  # lines of the terminal beside the rows
_STATES = {0: "completed", 3: "diverged", 75: "preempted", 130: "stopped", 143: "stopped"}
_COLOURS = {"completed": "green", "running": "cyan", "starting": "cyan", "waiting": "dim"}
_SHOWN_FIRST = ("running", "starting", "failed", "diverged", "stopped", "preempted", "completed", "waiting")


@dataclass
class Row:
    """A run as it is shown."""

    what: str
    state: str = "waiting"
    news: News = News()  # noqa: RUF009 - frozen
    begun: tuple[float, float] | None = None
    ended: float | None = None

    def hear(self, what: News | Report) -> None:
        if isinstance(what, Report):
            self.state = "waiting" if what == NOT_BEGUN else _STATES.get(what.exit_code, "failed")
            self.ended = time.monotonic()
            self.news = self._last(what)
            return
        told = what.step > 0
        if told and self.begun is None:
            self.begun = (time.monotonic(), what.done)
        if not what.step:  # it begins, perhaps once more
            self.begun, self.ended = None, None
        self.state, self.news = ("running" if what.metric else "starting"), what

    def _last(self, report: Report) -> News:
        """The test score of its main metric, once there is one."""
        metric = self.news.metric.rpartition(" ")[2]
        value = report.metrics.get("test", {}).get(metric)
        return self.news if value is None else replace(self.news, metric=f"test {metric}", value=value)

    @property
    def value(self) -> str:
        """The latest value, by name."""
        return "" if self.news.value is None else f"{self.news.metric} {number(self.news.value)}"

    @property
    def left(self) -> str:
        """How long it still takes, at the pace since it was taken up."""
        if self.begun is None or self.state != "running":
            return ""
        since, before = self.begun
        part = self.news.done - before
        return duration((time.monotonic() - since) * (1 - self.news.done) / part) if part > 0 else ""


@runtime_checkable
class Board(Protocol):
    """Where many runs are shown, as a context."""

    def __enter__(self) -> "Board": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def hear(self, place: int, what: News | Report) -> None:
        """News or the report of the run at a place."""


def choose(mode: str, titles: Sequence[str], *, quiet: bool = False) -> Board:
    """A table where standard error is a terminal, else lines; only failures when quiet, or in the mode `none`.

    Args:
        mode: one of `progress.MODES`.
        titles: what the runs are.
    """
    rows = [Row(one_line(title)) for title in titles]
    if quiet or mode == "none":
        return Lines(rows, only_failures=True)
    if mode == "bar" or (mode == "auto" and sys.stderr.isatty()):
        return Screen(rows)
    return Lines(rows)


def failure(place: int, row: Row, report: Report) -> str:
    """One line of what went wrong, its last."""
    lines = [line for line in report.error.splitlines() if line.strip()] or ["?"]
    return one_line(f"[{place + 1}] {row.state}, exit code {report.exit_code}: {row.what}: {lines[-1].strip()}")


def told(place: int, row: Row, news: News) -> str:
    """One line of what a reader should know."""
    return one_line(f"[{place + 1}] {row.what}: {news.note}")


def failed(what: News | Report) -> bool:
    return isinstance(what, Report) and what.exit_code != 0 and what != NOT_BEGUN


def summary(rows: Sequence[Row]) -> str:
    """`2 running, 3 completed, 11 waiting`."""
    counts = Counter(row.state for row in rows)
    return ", ".join(f"{counts[state]} {state}" for state in _SHOWN_FIRST if counts[state])


class Lines:
    """A line when a run begins and ends, and every few seconds how far they are.

    Args:
        every: seconds between two times that it is told how far they are.
        only_failures: no other lines.
    """

    def __init__(self, rows: Sequence[Row], *, every: float = _EVERY, only_failures: bool = False) -> None:
        self.rows, self.every, self.only_failures = rows, every, only_failures
        self.said = time.monotonic()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def hear(self, place: int, what: News | Report) -> None:
        row = self.rows[place]
        row.hear(what)
        if isinstance(what, Report) and failed(what):
            self._say(failure(place, row, what))
        elif self.only_failures or what == NOT_BEGUN:
            return
        elif isinstance(what, News) and what.note:
            self._say(told(place, row, what))
        elif row.state in ("starting", "completed"):
            self._say(f"[{place + 1}/{len(self.rows)}] {row.what}  {row.state}  {row.value}".rstrip())
        elif time.monotonic() - self.said >= self.every:
            self.said = time.monotonic()
            self._say(summary(self.rows))
            for other in (other for other in self.rows if other.state == "running"):
                self._say(f"  {other.what}  step {other.news.step:,}  {other.value}  {other.left or '?'} left")

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


class Screen:
    """A table that is drawn anew: one row a run, as many as the terminal is high; failures stay above it."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.console = Console(stderr=True, highlight=False)
        self.live = Live(console=self.console, get_renderable=self.table, refresh_per_second=4, transient=True)

    def __enter__(self) -> "Screen":
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def hear(self, place: int, what: News | Report) -> None:
        self.rows[place].hear(what)
        if isinstance(what, Report) and failed(what):
            text = failure(place, self.rows[place], what)
            self.console.print(Text(text, style="red"), soft_wrap=True)
        elif isinstance(what, News) and what.note:
            self.console.print(Text(told(place, self.rows[place], what), style="yellow"), soft_wrap=True)

    def table(self) -> Group:
        """The rows that matter most, in their order, and how many there are of each state."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("#", "what", "state", "step", "metric", "left"):
            table.add_column(name, justify="right" if name in ("#", "step", "left") else "left", no_wrap=True)
        for place in self._chosen():
            row = self.rows[place]
            state = Text(row.state, style=_COLOURS.get(row.state, "red"))
            step = f"{row.news.step:,}" if row.news.step else ""
            table.add_row(str(place + 1), Text(row.what), state, step, Text(row.value), row.left)
        return Group(table, Text(summary(self.rows), style="dim", no_wrap=True))

    def _chosen(self) -> list[int]:
        """Places; what runs and what failed first when there are too many, the latest to end before others."""
        room = max(3, self.console.height - _MARGIN)
        ranked = sorted(range(len(self.rows)), key=self._rank)
        return sorted(ranked[:room])

    def _rank(self, place: int) -> tuple[int, float]:
        row = self.rows[place]
        return _SHOWN_FIRST.index(row.state), -row.ended if row.ended is not None else float(place)


def print_failures(failures: Sequence[tuple[int, str, Report]]) -> None:
    """Places, what the runs were, and how they failed, on standard error."""
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"{len(failures)} failed", title_justify="left")
    table.add_column("#", justify="right")
    for name in ("what", "exit code", "error"):
        table.add_column(name, overflow="fold")
    for place, what, report in failures:
        lines = [line for line in report.error.splitlines() if line.strip()] or ["?"]
        table.add_row(str(place + 1), Text(one_line(what)), str(report.exit_code), Text(one_line(lines[0])))
    Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 200).print(table)
