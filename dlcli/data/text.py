"""Text files as users have them."""

from pathlib import Path

from dlcli.core.errors import UsageError


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark, with line feeds as the only ends of lines.

    Raises:
        UsageError: it is not there, not a file, empty, or not UTF-8.
    """
    if not path.is_file():
        raise UsageError(f"{path} is {'not a file' if path.exists() else 'missing'}")
    content = path.read_bytes()
    if not content:
        raise UsageError(f"{path} is empty")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8: byte {content[error.start]:#04x} at offset {error.start} ({error.reason})"
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
