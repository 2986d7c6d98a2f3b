"""Run directories. Logs and tables are append-only; all other files are replaced atomically."""

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

from dlcli.core.errors import UsageError
from dlcli.runs.files import Lock, replace_file
from dlcli.runs.record import SCHEMA, Record, check

_LOGS = ("metrics.csv", "timing.csv")
_TABLE = re.compile(r"artifacts/\w[\w-]*\.csv")
_METRICS_HEADER = "step,split,metric,value\n"
_TIMING_HEADER = "step,seconds,counter,value\n"


class RunLocked(Exception):
    """A run that another process is writing."""


@runtime_checkable
class Observer(Protocol):
    """Protocol of loggers that receive what a run logs. Its methods must not raise."""

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        """Log a row of metrics of a split."""

    def end(self, info: Mapping[str, Any]) -> None:
        """Finish logging.

        Args:
            info: content of run.json after the end of the run.
        """


class Run:
    """Run directory. `create` makes a new one, `open` reads an existing one, and `lock` is held during writing.

    Args:
        path: the directory.
        info: content of run.json.

    Attributes:
        error: the exception that ended the run in this process; None without one.
        observers: loggers that receive what the run logs.
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
            out: folder of run directories.
            verb: command that creates the run.
            label: name of the recipe or model.
            config: the resolved configuration as YAML.
            settings: the resolved configuration as plain values; without them config.json is not written.
            facts: further fields of run.json.

        Raises:
            OSError: the directory cannot be written.
        """
        parent = out / verb / label
        parent.mkdir(parents=True, exist_ok=True)
        path, identity = create_unique_directory(parent)
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
        """Open a run directory.

        Raises:
            UsageError: it is not a run directory, or run.json is damaged or was written by a newer dlcli.
        """
        try:
            with open(f"{path}/run.json", "rb") as file:
                info = json.loads(file.read())
        except FileNotFoundError:
            raise UsageError("invalid_data", path=path, problem="not a run directory (run.json is missing)") from None
        except (ValueError, RecursionError) as error:
            raise UsageError("damaged", path=f"{path}/run.json", problem=str(error)) from None
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
        """Time of creation in the local time zone."""
        return datetime.fromisoformat(self.info["started"]).astimezone()

    @property
    def status(self) -> str:
        """running, completed, failed, diverged, stopped or preempted; lost if its process has died."""
        status = self.info["status"]
        if status == "running" and not self._lock.mine and self.info["host"] == socket.gethostname():
            return status if self._lock.held() else "lost"
        return status

    def lock(self) -> None:
        """Lock the run until `close`. The operating system releases the lock if the process dies.

        Raises:
            Busy: another process has locked the run.
        """
        if not self._lock.take():
            info = Run.open(self.path).info
            raise RunLocked(f"run {self.id} is being written by process {info['pid']} on {info['host']}")

    def save(self) -> None:
        """Write run.json."""
        replace_file(self.path / "run.json", (json.dumps(self.info, indent=1) + "\n").encode())

    def configure(self, config: str, settings: Mapping[str, Any] | None) -> None:
        """Write the resolved configuration: config.yaml and, from plain values, config.json.

        An existing config.json is removed first, so that a crash between the two writes cannot leave a stale file.
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
        """Append a row of metrics of a split to metrics.csv."""
        lines = (f"{step},{split},{name},{value!r}\n" for name, value in row.items())
        self._append_handle("metrics.csv").write("".join(lines))
        for observer in self.observers:
            observer.row(step, split, row)

    def time(self, step: int, seconds: float, counters: Mapping[str, int]) -> None:
        """Append the elapsed time in seconds and the totals of the counters to timing.csv."""
        lines = (f"{step},{seconds:.3f},{name},{value}\n" for name, value in counters.items())
        self._append_handle("timing.csv").write("".join(lines))

    def note(self, text: str) -> None:
        """Append a printed line to log.txt."""
        file = self._append_handle("log.txt")
        file.write(text if text.endswith("\n") else text + "\n")
        file.flush()

    def keep(self, name: str, content: bytes) -> Path:
        """Write a file in artifacts/, replacing an existing one.

        Returns:
            the path of the file.
        """
        path = self.path / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
        return path

    def grow(self, name: str, heading: str, lines: str) -> None:
        """Append lines to a table in artifacts/, and write the heading of a new table first."""
        file = self._append_handle(f"artifacts/{name}")
        if file.tell() == 0:
            file.write(heading)
        file.write(lines)

    def checkpoint(self, name: str, content: bytes) -> None:
        """Write a checkpoint after all logged rows are on disk.

        Args:
            name: "last" or "best".
            content: serialized checkpoint.
        """
        self.flush()
        replace_file(self.checkpoint_path(name), content)

    def set_aside(self, name: str) -> None:
        """Keep the current checkpoint as `<name>_before` until `drop_aside`."""
        path, aside = self.checkpoint_path(name), self.checkpoint_path(f"{name}_before")
        if not path.exists():
            return
        aside.unlink(missing_ok=True)
        try:
            os.link(path, aside)
        except OSError:  # the file system does not support hard links
            replace_file(aside, path.read_bytes())

    def drop_aside(self, name: str) -> None:
        """Delete the checkpoint `<name>_before`."""
        self.checkpoint_path(f"{name}_before").unlink(missing_ok=True)

    def checkpoint_path(self, name: str) -> Path:
        return self.path / "checkpoints" / f"{name}.pt"

    def flush(self) -> None:
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())

    def lengths(self) -> dict[str, int]:
        """Sizes of the append-only files in bytes, for a checkpoint."""
        self.flush()
        tables = [name for name in self._files if name.startswith("artifacts/")]
        return {name: (self.path / name).stat().st_size for name in (*_LOGS, *tables)}

    def truncate(self, lengths: Mapping[str, int]) -> None:
        """Truncate the append-only files to the sizes in a checkpoint. log.txt is not truncated.

        Raises:
            UsageError: a file is shorter than at the checkpoint, or is not append-only.
        """
        for name, length in {name: lengths[name] for name in (*_LOGS, *lengths)}.items():
            path = self.path / name
            if name not in _LOGS and not _TABLE.fullmatch(name):
                raise UsageError("invalid_data", path=path, problem="not an append-only file")
            size = path.stat().st_size if path.exists() else 0
            if size < length:
                problem = f"{size} bytes, but {length} bytes at the last checkpoint"
                raise UsageError("damaged", path=path, problem=problem)
        for name, length in lengths.items():
            os.truncate(self.path / name, length)
        self._drop_tables(lengths)
        for name in lengths:
            if name.startswith("artifacts/"):
                self._append_handle(name)

    def restart(self) -> None:
        """Empty the append-only files, for a restart from the first step."""
        replace_file(self.path / "metrics.csv", _METRICS_HEADER.encode())
        replace_file(self.path / "timing.csv", _TIMING_HEADER.encode())
        self._drop_tables(())

    def _drop_tables(self, known: Collection[str]) -> None:
        """Delete tables that are not in the checkpoint: their steps will be repeated."""
        for path in (self.path / "artifacts").glob("*.csv"):
            if f"artifacts/{path.name}" not in known:
                path.unlink()

    def resume(self) -> None:
        """Lock the run and set its status to running, with this process in run.json."""
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
        """Write the final status to run.json and release the lock.

        Args:
            status: final status.
            exit_code: exit code of the process.
            facts: further fields of run.json.
        """
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
        """Delete the run directory."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        self._files.clear()
        self._lock.release()

    def metrics(self) -> list[tuple[int, str, str, float]]:
        """Rows of metrics.csv as (step, split, metric, value), without malformed lines."""
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

    def _append_handle(self, name: str) -> TextIO:
        if name not in self._files:
            self._files[name] = (self.path / name).open("a", encoding="utf-8", newline="")
        return self._files[name]


def _finite(node: Any) -> Any:
    """Convert infinities and NaN to text, since JSON cannot represent them."""
    if isinstance(node, Mapping):
        return {str(key): _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return str(node) if isinstance(node, float) and not math.isfinite(node) else node


def create_unique_directory(parent: Path) -> tuple[Path, str]:
    """Create a directory with a unique name: the time in readable form, and a random id.

    Returns:
        the directory and its id.
    """
    rng = random.SystemRandom()
    while True:
        letters = string.ascii_lowercase + string.digits
        identity = rng.choice(string.ascii_lowercase) + "".join(rng.choices(letters, k=5))
        path = parent / f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{identity}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path, identity


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
