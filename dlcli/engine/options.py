"""Options of a run besides its configuration, and capture of log messages while it is built."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.core.executor import ProgressCallback


@dataclass(frozen=True)
class Options:
    """Options of a command that starts runs, besides the configuration.

    Args:
        out: folder of run directories.
        name: display name.
        tags: tags, selected with @TAG.
        show: progress display: auto, bar, plain or none.
        quiet: print only errors.
        extra: configuration folders that precede ./conf and the packaged one.
        argv: the command line.
        parent: id of the parent run.
        init_from: selector of the run whose best weights are the initial ones.
        smoke: use the recipe's one-second version.
        threads: value of `threads=auto`; None measures it.
        facts: further entries of run.json.
        tell: receives progress events in place of a display.
        verb: the command: train, evolve, search or sketch.
        jobs: workers that evaluate a population; None is 1.
        on: launcher of these workers: local, ray or slurm.
        from_search: selector of the search whose result is trained.
    """

    out: Path = Path("outputs")
    name: str | None = None
    tags: tuple[str, ...] = ()
    show: str = "auto"
    quiet: bool = False
    extra: tuple[Path, ...] = ()
    argv: tuple[str, ...] = ()
    parent: str | None = None
    init_from: str | None = None
    smoke: bool = False
    threads: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    tell: ProgressCallback | None = None
    verb: str = "train"
    jobs: int | None = None
    on: str = "local"
    from_search: str | None = None


@contextmanager
def captured_messages(quiet: bool) -> Iterator[list[str]]:
    """Collect the log messages of the block without duplicates; print them on standard error unless `quiet`."""
    handler = _MessageCollector(quiet)
    logger = logging.getLogger("dlcli")
    previous_level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler.messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(previous_level)


class _MessageCollector(logging.Handler):
    def __init__(self, quiet: bool) -> None:
        super().__init__()
        self.quiet = quiet
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self.messages:
            self.messages.append(message)
            if not self.quiet:
                print(message, file=sys.stderr, flush=True)  # noqa: T201
