"""`dlcli trust`: folders whose Python code may be imported."""

from pathlib import Path

from dlcli.config import trust


def main(folder: Path | None, remove: bool) -> int:
    """Add a folder to the trusted ones, remove it, or list all; return the exit code."""
    if folder is None:
        for known in trust.listed():
            print(known)  # noqa: T201
    elif remove:
        print(f"no longer trusted: {trust.remove(folder)}")  # noqa: T201
    else:
        print(f"trusted: {trust.add(folder)}")  # noqa: T201
    return 0
