"""What verbs are told beside the configuration, and what is heard while they load."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcli.core.executor import Tell


@dataclass(frozen=True)
class Options:
    """What is said beside the configuration.

    Args:
        out: where run directories go.
        name: a name for people.
        tags: words to find the run by.
        show: display mode of the progress.
        quiet: nothing but errors.
        extra: folders of configuration before ours.
        argv: the command as it was typed.
        parent: id of the run this one belongs to.
        init_from: selector of a run whose weights are the initial ones.
        smoke: the recipe's own one-second version.
        threads: what `threads=auto` stands for; None asks the probe.
        facts: what run.json says besides.
        tell: told how the run goes, in place of a display.
        verb: whose recipes and configuration are meant.
        jobs: workers that rate a run's populations; None is one.
        on: the engine that they are of.
        from_search: selector of a search whose best is trained.
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
    tell: Tell | None = None
    verb: str = "train"
    jobs: int | None = None
    on: str = "local"
    from_search: str | None = None


@contextmanager
def listening(quiet: bool) -> Iterator[list[str]]:
    """What tasks say of their data while they load, each once: on standard error, and in the list."""
    ear = _Ear(quiet)
    logger = logging.getLogger("dlcli")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(ear)
    try:
        yield ear.lines
    finally:
        logger.removeHandler(ear)
        logger.setLevel(before)


class _Ear(logging.Handler):
    def __init__(self, quiet: bool) -> None:
        super().__init__()
        self.quiet = quiet
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if line not in self.lines:
            self.lines.append(line)
            if not self.quiet:
                print(line, file=sys.stderr, flush=True)  # noqa: T201
