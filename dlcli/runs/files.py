"""Files and folders that are there whole or not at all, and the lock of who writes."""

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path

REMOVED = ".removed"
"""What the hidden name of a folder ends in whose deletion has begun."""

_TRIES, _PAUSE = 10, 0.02  # somebody may be looking whether it is held


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all: side file, fsync, rename."""
    side = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with side.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        side.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            side.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def replace_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A folder with these files and no others, in place of an older one: made beside it, then moved there."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        for name, content in files.items():
            replace_file(fresh / name, content)
        if path.exists():
            shutil.rmtree(path.with_name(f".{path.name}{REMOVED}"), ignore_errors=True)
            remove_folder(path)
        fresh.rename(path)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def remove_folder(path: Path) -> None:
    """Delete a folder so that it is there whole or not at all: moved aside, where nobody looks, then emptied."""
    aside = path.with_name(f".{path.name}{REMOVED}")
    path.rename(aside)
    shutil.rmtree(aside)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder, hard links counted once."""
    found = {}
    for place in (path, *path.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            facts = place.lstat()
            if stat.S_ISREG(facts.st_mode):
                found[facts.st_dev, facts.st_ino] = facts.st_size
    return sum(found.values())


class Lock:
    """A lock that the system lets go of when the process dies.

    Args:
        path: its file; made when it is taken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def mine(self) -> bool:
        """Whether this object holds it."""
        return self._handle is not None

    def take(self) -> bool:
        """Whether it is this object's now; not when another process, or object, has it."""
        if self._handle is not None:
            return True
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        for _ in range(_TRIES):
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._handle = handle
                return True
            time.sleep(_PAUSE)
        os.close(handle)
        return False

    def held(self) -> bool:
        """Whether anybody holds it."""
        try:
            handle = os.open(self.path, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def release(self) -> None:
        """Let go of it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
