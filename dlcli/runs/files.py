"""Atomic replacement of files and folders, and file locks."""

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path

REMOVED = ".removed"
"""Suffix of the hidden name of a folder that is being deleted."""

_TRIES, _PAUSE = 10, 0.02  # attempts and seconds between them: `held` of another process takes the lock briefly


def replace_file(path: Path, content: bytes) -> None:
    """Write a file atomically: temporary file, fsync, rename."""
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
    """Replace a folder by one with exactly these files, which is created beside it and then renamed.

    Args:
        path: the folder, which need not exist.
        files: content by file name.
    """
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
    """Delete a folder atomically: rename it to a hidden name, then delete its files."""
    aside = path.with_name(f".{path.name}{REMOVED}")
    path.rename(aside)
    shutil.rmtree(aside)


def size_of(path: Path) -> int:
    """Size in bytes of a file, or of all files below a folder. Hard links are counted once."""
    sizes = {}
    for entry in (path, *path.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            status = entry.lstat()
            if stat.S_ISREG(status.st_mode):
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


class Lock:
    """File lock, which the operating system releases when the process ends.

    Args:
        path: lock file, which is created on first use.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def mine(self) -> bool:
        """True if this object holds the lock."""
        return self._handle is not None

    def take(self) -> bool:
        """Acquire the lock.

        Returns:
            False if another process or object holds it.
        """
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
        """True if any process or object holds the lock."""
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
        """Release the lock."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
