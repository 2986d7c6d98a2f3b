"""Output files at paths given by the user: links are followed, only regular files are overwritten."""

from pathlib import Path

from dlcli.core.errors import Missing, UsageError
from dlcli.runs.files import replace_file


def resolve_path(path: Path, option: str) -> Path:
    """Resolve the path of an output file, following links.

    Args:
        option: command-line option of the path, for messages.

    Raises:
        UsageError: the path is a folder, device, pipe, socket or a cycle of links.
        Missing: the folder of the file does not exist.
    """
    try:
        target = path.resolve()
        if target.is_dir():
            raise UsageError("invalid_data", path=f"{option} {path}", problem="is a folder, not a file")
        if target.exists() and not target.is_file():
            problem = "not a regular file; only regular files are overwritten"
            raise UsageError("invalid_data", path=f"{option} {path}", problem=problem)
        if not target.parent.is_dir():
            folder = target.parent if path.is_symlink() else path.parent
            raise Missing("missing_file", path=folder, hint=f"Create the folder of {option} {path} first.")
    except (OSError, RuntimeError) as error:  # RuntimeError: a cycle of links, before Python 3.13
        raise _unwritable(path, option, error) from None
    return target


def _unwritable(path: Path, option: str, error: Exception) -> UsageError:
    return UsageError("invalid_data", path=f"{option} {path}", problem=getattr(error, "strerror", None) or str(error))


def write(path: Path, content: bytes, option: str) -> None:
    """Write an output file atomically.

    Args:
        option: command-line option of the path, for messages.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        replace_file(resolve_path(path, option), content)
    except OSError as error:
        raise _unwritable(path, option, error) from None
