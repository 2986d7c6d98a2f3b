"""Files of a data set, out of the archive that it is published as or of the folder that somebody unpacked it to."""

import gzip
import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from dlcli.core.errors import UsageError

_MOST = 1 << 28  # bytes of one member


def read_members(path: Path, names: Collection[str]) -> dict[str, bytes]:
    """The content of those named files that are there; links and folders in an archive do not count.

    Args:
        path: a folder, or a `.tar.gz` whose members lie in one folder.

    Raises:
        UsageError: it is damaged, or a file is larger than any that is wanted.
    """
    if path.is_dir():
        return {name: _whole(path / name) for name in names if (path / name).is_file()}
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path) as stream:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    name = PurePosixPath(member.name).name
                    if member.isfile() and name in names and name not in found:
                        found[name] = _content(archive, member, path)
            _drain(stream, path)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise UsageError(f"{path} is cut off or damaged: {error}") from None
    return found


def _drain(stream: gzip.GzipFile, path: Path) -> None:
    """Read what is left, so that gzip compares its checksum; there is little behind an archive."""
    for _ in range(_MOST >> 20):
        if not stream.read(1 << 20):
            return
    raise UsageError(f"{path} goes on behind its archive: it is not the published file")


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    _check(path / member.name, member.size)
    stream = archive.extractfile(member)
    assert stream is not None
    content = stream.read()
    if len(content) != member.size:
        raise UsageError(f"{path} is cut off in {member.name}")
    return content


def _whole(path: Path) -> bytes:
    _check(path, path.stat().st_size)
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def _check(path: Path, size: int) -> None:
    if size > _MOST:
        raise UsageError(f"{path} has {size:,} bytes, more than {_MOST:,}: it is not the published file")
