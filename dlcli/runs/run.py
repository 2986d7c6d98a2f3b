"""A run directory as an object. Files that grow are only appended to; the others are replaced whole."""

import contextlib
import json
import math
import os
import random
import re
import shutil
import socket
import string
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TextIO, runtime_checkable

from dlcli.runs.files import Lock, replace_file
from dlcli.runs.record import SCHEMA, Record, check

_CUT_BACK = ("metrics.csv", "timing.csv")
_TABLE = re.compile(r"artifacts/\w[\w-]*\.csv")
_METRICS_HEADER = "step,split,metric,value\n"
_TIMING_HEADER = "step,seconds,counter,value\n"


class Busy(Exception):
    """Another process is writing the run."""


@runtime_checkable
class Observer(Protocol):
    """Somebody who is told what a run logs, and never raises."""

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        """A row of metrics."""

    def end(self, info: Mapping[str, Any]) -> None:
        """The run has ended; `info` is its run.json."""


class Run:
    """One run directory: `create` makes it, `open` finds it again, `lock` is held while it is written.

    Args:
        path: the directory.
        info: what run.json holds.

    `error` is the exception that ended it in this process, if one did; `observers` are told what it logs.
    """

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path = path
        self.info = info
        self.error: BaseException | None = None
        self.observers: list[Observer] = []
        self._record = Record(info)
        self._files: dict[str, TextIO] = {}

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.status})"

    @classmethod
    def create(
        cls, out: Path, verb: str, label: str, config: str, settings: Mapping[str, Any] | None = None, **facts: Any
    ) -> "Run":
        """Create the directory `<out>/<verb>/<label>/<time>_<id>`, locked by this process.

        Args:
            config: the resolved configuration as YAML.
            settings: the same as plain values; None leaves out config.json, and readers parse the YAML.
            facts: fields of run.json.

        Raises:
            OSError: the place cannot be written.
        """
        parent = out / verb / label
        parent.mkdir(parents=True, exist_ok=True)
        path, identity = reserve(parent)
        info = {
            "schema": SCHEMA, "id": identity, "verb": verb, "label": label, "status": "running",
            "exit_code": None, "started": _now(), "ended": None, "host": socket.gethostname(), "pid": os.getpid(),
            "metrics": {}, **facts,
        }  # fmt: skip
        run = cls(path, info)
        try:
            (path / "checkpoints").mkdir()
            (path / "artifacts").mkdir()
            run.lock()
            run.configure(config, settings)
            replace_file(path / "metrics.csv", _METRICS_HEADER.encode())
            replace_file(path / "timing.csv", _TIMING_HEADER.encode())
            run.save()
        except BaseException:
            run.discard()
            raise
        return run

    @classmethod
    def open(cls, path: Path) -> "Run":
        """The run in a directory.

        Raises:
            ValueError: it is not a run directory, or its run.json is damaged or of a newer dlcli.
        """
        try:
            with open(f"{path}/run.json", "rb") as file:
                info = json.loads(file.read())
        except FileNotFoundError:
            raise ValueError(f"{path} is not a run directory: it has no run.json") from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}/run.json is damaged: {error}") from None
        check(info, path)
        return cls(path, info)

    @cached_property
    def _lock(self) -> Lock:
        return Lock(self.path / ".lock")

    @property
    def record(self) -> Record:
        """run.json as typed attributes."""
        if self._record.info is not self.info:
            self._record = Record(self.info)
        return self._record

    @property
    def id(self) -> str:
        return self.info["id"]

    @property
    def started(self) -> datetime:
        """When it was created, whatever the time zone was then."""
        return datetime.fromisoformat(self.info["started"]).astimezone()

    @property
    def status(self) -> str:
        """running, completed, failed, diverged, stopped, preempted; lost when its process is gone."""
        status = self.info["status"]
        if status == "running" and not self._lock.mine and self.info["host"] == socket.gethostname():
            return status if self._lock.held() else "lost"
        return status

    def lock(self) -> None:
        """Hold the run until `close`; the system lets go when the process dies.

        Raises:
            Busy: a living process has it.
        """
        if not self._lock.take():
            info = Run.open(self.path).info
            raise Busy(f"run {self.id} is being written by process {info['pid']} on {info['host']}")

    def save(self) -> None:
        """Write run.json."""
        replace_file(self.path / "run.json", (json.dumps(self.info, indent=1) + "\n").encode())

    def configure(self, config: str, settings: Mapping[str, Any] | None) -> None:
        """Write the resolved configuration: config.yaml and, from plain values, config.json.

        An older config.json is removed first, so that a crash between the two never leaves a stale one.
        """
        (self.path / "config.json").unlink(missing_ok=True)
        replace_file(self.path / "config.yaml", config.encode())
        if settings is not None:
            text = json.dumps(_finite(settings), separators=(",", ":"), allow_nan=False, default=str)
            replace_file(self.path / "config.json", (text + "\n").encode())

    def describe(self, name: str, text: str) -> None:
        """Write a file about the run beside run.json."""
        replace_file(self.path / name, text.encode())

    def log(self, step: int, split: str, row: Mapping[str, float]) -> None:
        """Append a row of metrics."""
        lines = (f"{step},{split},{name},{value!r}\n" for name, value in row.items())
        self._growing("metrics.csv").write("".join(lines))
        for observer in self.observers:
            observer.row(step, split, row)

    def time(self, step: int, seconds: float, counters: Mapping[str, int]) -> None:
        """Append the clock and the counters."""
        lines = (f"{step},{seconds:.3f},{name},{value}\n" for name, value in counters.items())
        self._growing("timing.csv").write("".join(lines))

    def note(self, text: str) -> None:
        """Append what was printed."""
        file = self._growing("log.txt")
        file.write(text if text.endswith("\n") else text + "\n")
        file.flush()

    def keep(self, name: str, content: bytes) -> Path:
        """Put a file into artifacts/, in place of an older one."""
        path = self.path / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
        return path

    def grow(self, name: str, heading: str, lines: str) -> None:
        """Append lines to a table in artifacts/, which begins with a heading."""
        file = self._growing(f"artifacts/{name}")
        if file.tell() == 0:
            file.write(heading)
        file.write(lines)

    def checkpoint(self, name: str, content: bytes) -> None:
        """Put a checkpoint in place, `name` "last" or "best", with all rows logged so far safely on disk."""
        self.flush()
        replace_file(self.checkpoint_path(name), content)

    def set_aside(self, name: str) -> None:
        """Keep the present checkpoint as `<name>_before`, whole, until `drop_aside`."""
        path, aside = self.checkpoint_path(name), self.checkpoint_path(f"{name}_before")
        if not path.exists():
            return
        aside.unlink(missing_ok=True)
        try:
            os.link(path, aside)
        except OSError:  # a file system without hard links
            replace_file(aside, path.read_bytes())

    def drop_aside(self, name: str) -> None:
        self.checkpoint_path(f"{name}_before").unlink(missing_ok=True)

    def checkpoint_path(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.pt"

    def flush(self) -> None:
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())

    def lengths(self) -> dict[str, int]:
        """Bytes of the files that only grow, as a checkpoint remembers them."""
        self.flush()
        grown = [name for name in self._files if name.startswith("artifacts/")]
        return {name: (self.path / name).stat().st_size for name in (*_CUT_BACK, *grown)}

    def truncate(self, lengths: Mapping[str, int]) -> None:
        """Cut the growing files back to what a checkpoint remembers; what was printed stays.

        Raises:
            ValueError: a file is shorter than that.
        """
        for name, length in {name: lengths[name] for name in (*_CUT_BACK, *lengths)}.items():
            if name not in _CUT_BACK and not _TABLE.fullmatch(name):
                raise ValueError(f"{name} is no file that grows")
            path = self.path / name
            size = path.stat().st_size if path.exists() else 0
            if size < length:
                raise ValueError(f"{path} has {size} bytes, {length} at the last checkpoint: it was changed")
        for name, length in lengths.items():
            os.truncate(self.path / name, length)
        self._drop_tables(lengths)
        for name in lengths:
            if name.startswith("artifacts/"):
                self._growing(name)

    def restart(self) -> None:
        """Empty the growing files: the run goes back to its first step."""
        replace_file(self.path / "metrics.csv", _METRICS_HEADER.encode())
        replace_file(self.path / "timing.csv", _TIMING_HEADER.encode())
        self._drop_tables(())

    def _drop_tables(self, known: Collection[str]) -> None:
        """Tables that the checkpoint does not know are of steps that will be taken again."""
        for path in (self.path / "artifacts").glob("*.csv"):
            if f"artifacts/{path.name}" not in known:
                path.unlink()

    def resume(self) -> None:
        """Take the run up again: locked, running, with this process in run.json."""
        self.lock()
        for side in self.path.rglob(".*.tmp"):
            side.unlink(missing_ok=True)
        self.info.pop("reason", None)
        self.info |= {
            "status": "running", "exit_code": None, "ended": None, "metrics": {},
            "pid": os.getpid(), "host": socket.gethostname(),
        }  # fmt: skip
        self.save()

    def finish(self, status: str, exit_code: int, **facts: Any) -> None:
        """Write how the run ended, and let go of it."""
        self.info |= {"status": status, "exit_code": exit_code, "ended": _now(), **facts}
        try:
            try:
                self.flush()
            finally:
                self.save()
                for observer in self.observers:
                    observer.end(self.info)
        finally:
            self.close()

    def discard(self) -> None:
        """Take back a directory that nothing has come of."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        self._files.clear()
        self._lock.release()

    def metrics(self) -> list[tuple[int, str, str, float]]:
        """metrics.csv as (step, split, metric, value); a last line that was cut short is left out."""
        rows = []
        for line in self._lines("metrics.csv"):
            with contextlib.suppress(ValueError):
                step, split, metric, value = line.split(",")
                rows.append((int(step), split, metric, float(value)))
        return rows

    def _lines(self, name: str) -> Sequence[str]:
        try:
            return (self.path / name).read_text().splitlines()[1:]
        except FileNotFoundError:
            return ()

    def _growing(self, name: str) -> TextIO:
        if name not in self._files:
            self._files[name] = (self.path / name).open("a", encoding="utf-8", newline="")
        return self._files[name]


def _finite(node: Any) -> Any:
    """The same with infinities and NaN as text, since JSON cannot hold them."""
    if isinstance(node, Mapping):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return str(node) if isinstance(node, float) and not math.isfinite(node) else node


def reserve(parent: Path) -> tuple[Path, str]:
    """A directory nobody else has: the stamp is for people, the random id for uniqueness."""
    draw = random.SystemRandom()
    while True:
        letters = string.ascii_lowercase + string.digits
        identity = draw.choice(string.ascii_lowercase) + "".join(draw.choices(letters, k=5))
        path = parent / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{identity}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path, identity


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
