"""Read the files of a data set from the published .tar.gz or from the folder of its extracted files."""

import gzip
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from dlcli.core.errors import UsageError

_MAX_BYTES = 1 << 28  # size of the largest member


def read_members(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """Read those of the named files that exist; links and folders in an archive are ignored.

    Args:
        path: a folder, or a `.tar.gz`; the folders inside the archive are ignored.
        names: file names without folder.

    Returns:
        The content of each file by name.

    Raises:
        UsageError: the archive is corrupt, or a file is larger than 256 MiB.
    """
    if path.is_dir():
        return {name: _read_file(path / name) for name in names if (path / name).is_file()}
    contents: dict[str, bytes] = {}
    try:
        with gzip.open(path) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    name = PurePosixPath(member.name).name
                    if member.isfile() and name in names and name not in contents:
                        contents[name] = _read_member(archive, member, path)
            _read_to_end(stream, path)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UsageError("damaged", path=path, problem=f"truncated or corrupt: {error}") from None
    return contents


def _read_to_end(stream: gzip.GzipFile, path: Path) -> None:
    """Read the rest of the stream, so that gzip verifies its checksum; a valid archive is followed by padding only."""
    for _ in range(_MAX_BYTES >> 20):
        if not stream.read(1 << 20):
            return
    raise UsageError("invalid_data", path=path, problem="not the published file: data follow the archive")


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    _check_size(path / member.name, member.size)
    stream = archive.extractfile(member)
    assert stream is not None
    content = stream.read()
    if len(content) != member.size:
        raise UsageError("damaged", path=path, problem=f"{member.name} is truncated")
    return content


def _read_file(path: Path) -> bytes:
    _check_size(path, path.stat().st_size)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError("invalid_data", path=path, problem=f"cannot be read: {error.strerror or error}") from None


def _check_size(path: Path, size: int) -> None:
    if size > _MAX_BYTES:
        problem = f"not the published file: {size:,} bytes, more than {_MAX_BYTES:,}"
        raise UsageError("invalid_data", path=path, problem=problem)
