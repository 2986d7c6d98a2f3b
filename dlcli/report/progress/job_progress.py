"""Progress of a run of a sweep, sent as messages to the process that displays the sweep."""

from collections.abc import Callable, Mapping
from types import TracebackType

from dlcli.core.executor import ProgressCallback, ProgressEvent
from dlcli.report.progress.progress import LineDisplay


class MessageDisplay:
    """Display that sends the run directory, then step, fraction done and latest value as messages.

    The latest value is the training loss until the main metric has been evaluated.

    Args:
        run: path of the run directory.
        metric: name of the main metric.
        note: receives every printed line, for the log of the run.
        tell: receives the messages.
    """

    def __init__(self, run: str, metric: str, note: Callable[[str], None], tell: ProgressCallback) -> None:
        self.run, self.metric, self.tell = run, metric, tell
        self.lines = LineDisplay(run, metric, note, None)
        self.latest: tuple[str, float | None] = (metric, None)
        self.done, self.evaluated = 0.0, False

    def __enter__(self) -> "MessageDisplay":
        self.tell(ProgressEvent(self.run, metric=self.metric))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def say(self, text: str) -> None:
        self.lines.say(text)

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None:
        if not self.evaluated and latest:
            self.latest = next(iter(latest.items()))
        self.done = done
        self.tell(ProgressEvent(self.run, step, done, *self.latest))

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        self.lines.scored(step, split, means, best)
        if self.metric in means:
            self.evaluated = True
            self.latest = (f"{split} {self.metric}", means[self.metric])
            self.tell(ProgressEvent(self.run, step, self.done, *self.latest))
