"""Published data sets: files, URLs and checksums, read from `dlcli/data/sets`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dlcli.config import catalogue
from dlcli.core.errors import UsageError
from dlcli.data.files import data_folder


@dataclass(frozen=True)
class DataFile:
    """A file of a data set.

    Args:
        path: location on this machine.
        url: source of the download.
        sha256: expected SHA-256, hexadecimal.
        bytes: expected size.
    """

    path: Path
    url: str
    sha256: str
    bytes: int

    def state(self) -> str:
        """Return "missing", "ok", or the difference in size or checksum."""
        if not self.path.is_file():
            return "missing"
        size = self.path.stat().st_size
        if size != self.bytes:
            return f"{size:,} bytes instead of {self.bytes:,}"
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return "ok" if digest == self.sha256 else f"SHA-256 {digest[:12]}... instead of {self.sha256[:12]}..."


def files_of(name: str) -> list[DataFile]:
    """Return the files of a data set.

    Raises:
        UsageError: there is no such data set, or its YAML is invalid.
    """
    known = catalogue.registry("data")
    if name not in known:
        raise UsageError("unknown_name", kind="data set", name=name, known=known)
    folder = data_folder() / name
    try:
        entries: Any = OmegaConf.to_object(OmegaConf.load(known[name]).files)
        return [DataFile(folder / entry["path"], entry["url"], entry["sha256"], entry["bytes"]) for entry in entries]
    except (OSError, YAMLError, OmegaConfBaseException, KeyError, TypeError, AttributeError, ValueError) as error:
        hint = "`files:` lists path, url, sha256 and bytes of each file"
        raise UsageError("invalid_data", path=known[name], problem=str(error), hint=hint) from None


def is_complete(name: str) -> bool:
    """Return True if all files of a data set exist and have the published sizes.

    Raises:
        UsageError: there is no such data set.
    """
    return all(file.path.is_file() and file.path.stat().st_size == file.bytes for file in files_of(name))
