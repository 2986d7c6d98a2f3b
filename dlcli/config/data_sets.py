"""Published data sets: their files, addresses and checksums, from `dlcli/data/sets`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dlcli.config import catalogue
from dlcli.core.errors import UsageError, nearest
from dlcli.data.files import data_folder


@dataclass(frozen=True)
class File:
    """A file of a data set: where it lies, where it comes from, and what it must be."""

    path: Path
    url: str
    sha256: str
    bytes: int

    def state(self) -> str:
        """missing, ok, or what is wrong with it."""
        if not self.path.is_file():
            return "missing"
        size = self.path.stat().st_size
        if size != self.bytes:
            return f"{size:,} bytes instead of {self.bytes:,}"
        with self.path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return "ok" if found == self.sha256 else f"SHA-256 {found[:12]}... instead of {self.sha256[:12]}..."


def files_of(name: str) -> list[File]:
    known = catalogue.registry("data")
    if name not in known:
        raise UsageError(f"no data set {name!r}{nearest(name, known)}")
    folder = data_folder() / name
    try:
        entries: Any = OmegaConf.to_object(OmegaConf.load(known[name]).files)
        return [File(folder / one["path"], one["url"], one["sha256"], one["bytes"]) for one in entries]
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{known[name]} does not list files with path, url, sha256 and bytes: {error}") from None


def complete(name: str) -> bool:
    """Return True if all files of a data set exist and have the published sizes.

    Raises:
        UsageError: there is no such data set.
    """
    return all(file.path.is_file() and file.path.stat().st_size == file.bytes for file in files_of(name))
