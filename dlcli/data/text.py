"""Read UTF-8 text files."""

from pathlib import Path

from dlcli.core.errors import UsageError


def read_text(path: Path) -> str:
    """Read a UTF-8 file, without its byte order mark and with all line ends converted to line feeds.

    Raises:
        UsageError: the file is missing, a directory, empty, or not UTF-8.
    """
    if not path.exists():
        raise UsageError("missing_file", path=path)
    if not path.is_file():
        raise UsageError("invalid_data", path=path, problem="not a file")
    content = path.read_bytes()
    if not content:
        raise UsageError("invalid_data", path=path, problem="the file is empty")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte {content[error.start]:#04x} at offset {error.start} ({error.reason})"
        raise UsageError("invalid_data", path=path, problem=problem, hint="convert the file to UTF-8") from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
