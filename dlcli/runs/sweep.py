"""Sweep directories: the runs of one command, with their states."""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcli.core.errors import UsageError
from dlcli.runs.files import Lock, replace_file
from dlcli.runs.record import newer_schema
from dlcli.runs.run import create_unique_directory as reserve

SCHEMA = 1
_FILE = "sweep.json"
_TEXTS = ("id", "verb", "started", "host")


class Sweep:
    """Sweep directory `<out>/sweeps/<time>_<id>`, whose sweep.json is replaced atomically at every change.

    Args:
        path: the directory.
        info: content of sweep.json; `points` has the overrides, the run directory and the exit code of every run.
    """

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path, self.info = path, info
        self._lock = Lock(path / ".lock")

    @classmethod
    def create(cls, out: Path, verb: str, points: Sequence[Sequence[str]], **facts: Any) -> "Sweep":
        """Create a sweep directory, locked by this process.

        Args:
            out: folder of run directories.
            verb: command of the runs.
            points: arguments of every run: the recipe, if any, and overrides.
            facts: further fields that resuming the sweep requires.

        Raises:
            OSError: the directory cannot be written.
        """
        parent = out / "sweeps"
        parent.mkdir(parents=True, exist_ok=True)
        path, identity = reserve(parent)
        info = {
            "schema": SCHEMA, "id": identity, "verb": verb, "host": socket.gethostname(), "pid": os.getpid(),
            "started": datetime.now().astimezone().isoformat(timespec="milliseconds"), **facts,
            "points": [{"words": [*words], "run": None, "exit_code": None, "error": ""} for words in points],
        }  # fmt: skip
        sweep = cls(path, info)
        sweep.hold()
        sweep.save()
        return sweep

    @classmethod
    def open(cls, path: Path) -> "Sweep":
        """Open a sweep directory.

        Raises:
            UsageError: it is not a sweep, or sweep.json is damaged or was written by a newer dlcli.
        """
        file = path / _FILE
        try:
            info = json.loads(file.read_text())
        except FileNotFoundError:
            raise UsageError("invalid_data", path=path, problem=f"not a sweep ({_FILE} is missing)") from None
        except (ValueError, RecursionError) as error:
            raise UsageError("damaged", path=file, problem=str(error)) from None
        if isinstance(info, dict) and isinstance(info.get("schema"), int) and info["schema"] > SCHEMA:
            raise newer_schema(file, info["schema"], SCHEMA)
        if not _is_valid(info):
            raise UsageError("damaged", path=file, problem=f"missing or invalid: points or {', '.join(_TEXTS)}")
        return cls(path, info)

    @property
    def id(self) -> str:
        return self.info["id"]

    @property
    def points(self) -> list[dict[str, Any]]:
        return self.info["points"]

    def hold(self) -> bool:
        """Lock the sweep; the lock is released when the process ends.

        Returns:
            False if another process has locked it.
        """
        return self._lock.take()

    def let_go(self) -> None:
        """Release the lock."""
        self._lock.release()

    def save(self) -> None:
        replace_file(self.path / _FILE, (json.dumps(self.info, indent=1) + "\n").encode())

    def note(self, place: int, **facts: Any) -> None:
        """Update a point and save the sweep if anything changed.

        Args:
            place: index of the point.
            facts: fields of the point; `run` is a path.
        """
        if facts.get("run"):
            facts["run"] = os.path.relpath(facts["run"], self._out)
        point = self.points[place]
        if any(point.get(name) != value for name, value in facts.items()):
            point.update(facts)
            self.save()

    def run_of(self, place: int) -> Path | None:
        """Run directory of a point; None if it was not created or has been deleted."""
        run = self.points[place]["run"]
        path = self._out / run if run else None
        return Path(os.path.normpath(path)) if path is not None and (path / "run.json").is_file() else None

    def members(self) -> list[Path]:
        """Existing run directories in the order of the points."""
        paths = [self.run_of(index) for index in range(len(self.points))]
        return [path for path in paths if path is not None]

    @property
    def _out(self) -> Path:
        """Folder to which the paths of runs are relative, so that it can be moved as a whole."""
        return self.path.absolute().parent.parent


def _is_valid(info: Any) -> bool:
    """True if the required fields are present and have the right types."""
    if not isinstance(info, Mapping) or not all(isinstance(info.get(name), str) for name in _TEXTS):
        return False
    points = info.get("points")
    return isinstance(points, list) and all(isinstance(point, dict) and _is_valid_point(point) for point in points)


def _is_valid_point(point: Mapping[str, Any]) -> bool:
    arguments, run, code = (point.get(name) for name in ("words", "run", "exit_code"))
    return (
        isinstance(arguments, list)
        and all(isinstance(argument, str) for argument in arguments)
        and isinstance(run, str | None)
        and isinstance(code, int | None)
    )


def list_sweeps(out: Path) -> list[Path]:
    """Sweep directories of a folder, newest first."""
    return sorted((path.parent for path in (out / "sweeps").glob(f"*/{_FILE}")), key=lambda path: path.name)[::-1]


def find_sweeps(selector: str, out: Path) -> list[Path]:
    """Sweep directories that match `last`, a path, or a prefix of an id, newest first."""
    if (Path(selector) / _FILE).is_file():
        return [Path(selector)]
    paths = list_sweeps(out)
    if selector == "last":
        return paths[:1]
    return [path for path in paths if selector and path.name.rpartition("_")[2].startswith(selector)]
