"""Progress bar of a download, with the interface that pooch requires."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


class DownloadBar:
    """Progress bar on standard error. Pooch sets `total`, in bytes, as soon as the size is known."""

    def __init__(self) -> None:
        self.bar = Progress(
            TextColumn("download"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=Console(stderr=True)
        )
        self.task = self.bar.add_task("download", total=None)

    @property
    def total(self) -> int | float | None:
        return self.bar.tasks[0].total

    @total.setter
    def total(self, size: int | float | None) -> None:
        self.bar.start()
        self.bar.update(self.task, total=size)

    def update(self, size: int) -> None:
        self.bar.update(self.task, advance=size)

    def reset(self) -> None:
        self.bar.reset(self.task, total=self.total)

    def close(self) -> None:
        self.bar.stop()
