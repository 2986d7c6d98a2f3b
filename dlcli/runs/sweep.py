"""A sweep directory as an object: what one command made many runs of, and what became of each."""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcli.runs.files import Lock, replace_file
from dlcli.runs.run import reserve as reserve

SCHEMA = 1
_FILE = "sweep.json"
_WORDS = ("id", "verb", "started", "host")


class Sweep:
    """`<out>/sweeps/<time>_<id>/sweep.json`, replaced whole whenever something is known.

    Args:
        path: the directory.
        info: what sweep.json holds; `points` has the words, the run directory and the exit code of every run to be.
    """

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path, self.info = path, info
        self._lock = Lock(path / ".lock")

    @classmethod
    def create(cls, out: Path, verb: str, points: Sequence[Sequence[str]], **facts: Any) -> "Sweep":
        """A new one, locked by this process.

        Args:
            points: the words of every run, its recipe first where there is one.
            facts: what else it takes to go on with it.

        Raises:
            OSError: the place cannot be written.
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
        """The sweep in a directory.

        Raises:
            ValueError: it is not a sweep, or its sweep.json is damaged or of a newer dlcli.
        """
        place = path / _FILE
        try:
            info = json.loads(place.read_text())
        except FileNotFoundError:
            raise ValueError(f"{path} is not a sweep: it has no {_FILE}") from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{place} is damaged: {error}") from None
        if isinstance(info, dict) and isinstance(info.get("schema"), int) and info["schema"] > SCHEMA:
            raise ValueError(f"{place} was written by a newer dlcli (schema {info['schema']}, this one reads {SCHEMA})")
        if not _sound(info):
            raise ValueError(f"{place} is damaged: points or {', '.join(_WORDS)} missing or wrong")
        return cls(path, info)

    @property
    def id(self) -> str:
        return self.info["id"]

    @property
    def points(self) -> list[dict[str, Any]]:
        return self.info["points"]

    def hold(self) -> bool:
        """Whether this process has it now; it lets go when it dies."""
        return self._lock.take()

    def let_go(self) -> None:
        self._lock.release()

    def save(self) -> None:
        replace_file(self.path / _FILE, (json.dumps(self.info, indent=1) + "\n").encode())

    def note(self, place: int, **facts: Any) -> None:
        """Write down what is known of a point, `run` as a path; nothing is written when nothing is new."""
        if facts.get("run"):
            facts["run"] = os.path.relpath(facts["run"], self._out)
        point = self.points[place]
        if any(point.get(name) != value for name, value in facts.items()):
            point.update(facts)
            self.save()

    def run_of(self, place: int) -> Path | None:
        """The run directory of a point, when one was made and is still there."""
        run = self.points[place]["run"]
        path = self._out / run if run else None
        return Path(os.path.normpath(path)) if path is not None and (path / "run.json").is_file() else None

    def members(self) -> list[Path]:
        """The run directories that are there, in the order of the points."""
        found = [self.run_of(place) for place in range(len(self.points))]
        return [path for path in found if path is not None]

    @property
    def _out(self) -> Path:
        """The folder that the paths of runs are told from, so that it may be moved as a whole."""
        return self.path.absolute().parent.parent


def _sound(info: Any) -> bool:
    """Whether it holds what others rely on."""
    if not isinstance(info, Mapping) or not all(isinstance(info.get(name), str) for name in _WORDS):
        return False
    points = info.get("points")
    return isinstance(points, list) and all(isinstance(point, dict) and _whole(point) for point in points)


def _whole(point: Mapping[str, Any]) -> bool:
    words, run, code = (point.get(name) for name in ("words", "run", "exit_code"))
    return (
        isinstance(words, list)
        and all(isinstance(word, str) for word in words)
        and isinstance(run, str | None)
        and isinstance(code, int | None)
    )


def sweeps(out: Path) -> list[Path]:
    """The sweep directories of a folder, newest first."""
    return sorted((path.parent for path in (out / "sweeps").glob(f"*/{_FILE}")), key=lambda path: path.name)[::-1]


def named(selector: str, out: Path) -> list[Path]:
    """The sweeps that `last`, a path, or the beginning of an id names, newest first."""
    if (Path(selector) / _FILE).is_file():
        return [Path(selector)]
    found = sweeps(out)
    if selector == "last":
        return found[:1]
    return [path for path in found if selector and path.name.rpartition("_")[2].startswith(selector)]
