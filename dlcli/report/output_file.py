"""Files whose place the user names: a link is followed, and what is no ordinary file is never replaced."""

from pathlib import Path

from dlcli.core.errors import Missing, UsageError
from dlcli.runs.files import replace_file


def place(path: Path, option: str) -> Path:
    """Where a file is put that the user names: what the last of its links points to.

    Raises:
        UsageError: it is a folder, a device, a pipe or a socket, or a link that points to itself.
        Missing: its folder is not there.
    """
    try:
        found = path.resolve()
        if found.is_dir():
            raise UsageError(f"{option} {path} is a folder, not a file")
        if found.exists() and not found.is_file():
            raise UsageError(f"{option} {path} is no ordinary file, and nothing else is written over")
        if not found.parent.is_dir():
            raise Missing(f"{option} {path}: there is no folder {found.parent if path.is_symlink() else path.parent}")
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise UsageError(f"{option} {path}: {getattr(error, 'strerror', None) or error}") from None
    return found


def write(path: Path, content: bytes, option: str) -> None:
    """Put a file there, whole or not at all.

    Raises:
        UsageError: it cannot be.
    """
    try:
        replace_file(place(path, option), content)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from None
