"""Folders whose Python code may be imported as plug-ins.

A folder is trusted for one command and its child processes (`--config-dir`, `plugins=`; environment variable
`DLCLI_TRUSTED`), or for good (`dlcli trust DIR`; a list in the user's configuration folder). Installed packages are
trusted: installing them has run their code already.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_config_path

from dlcli.core.errors import UsageError
from dlcli.runs.files import replace_file

ENVIRONMENT = "DLCLI_TRUSTED"
"""Environment variable with the folders trusted by this command, separated like PATH."""


def store() -> Path:
    """Return the path of the list of folders that are trusted for good."""
    return user_config_path("dlcli") / "trusted.json"


def listed() -> list[Path]:
    """Return the folders that are trusted for good.

    Raises:
        UsageError: the list is damaged.
    """
    try:
        folders = json.loads(store().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UsageError("damaged", path=store(), problem=str(error)) from None
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise UsageError("damaged", path=store(), problem="it is not a list of folders")
    return [Path(folder) for folder in folders]


def add(folder: Path) -> Path:
    """Trust a folder, its subfolders included, for good; return its absolute path.

    Raises:
        UsageError: it is not a folder.
    """
    absolute = folder.expanduser().resolve()
    if not absolute.is_dir():
        raise UsageError("missing_file", path=folder)
    _write([*(known for known in listed() if known != absolute), absolute])
    return absolute


def remove(folder: Path) -> Path:
    """Remove a folder from the list; return its absolute path.

    Raises:
        UsageError: the list does not contain it.
    """
    absolute, known = folder.expanduser().resolve(), listed()
    if absolute not in known:
        raise UsageError("not_found", kind="trusted folder", name=str(absolute), known=list(map(str, known)))
    _write([other for other in known if other != absolute])
    return absolute


def _write(folders: Iterable[Path]) -> None:
    store().parent.mkdir(parents=True, exist_ok=True)
    replace_file(store(), (json.dumps(sorted(map(str, folders)), indent=1) + "\n").encode())


def allow(folders: Iterable[Path]) -> None:
    """Trust folders for this process and its children."""
    known = [part for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    more = [str(folder.resolve()) for folder in folders]
    os.environ[ENVIRONMENT] = os.pathsep.join(dict.fromkeys([*known, *more]))


def is_trusted(folder: Path) -> bool:
    """True if the folder, or a folder that contains it, is trusted."""
    here = [Path(part) for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
    return any(folder.is_relative_to(known) for known in here) or any(folder.is_relative_to(k) for k in listed())


def check(module: str, folder: Path) -> None:
    """Check that a module may be imported from a folder.

    Raises:
        UsageError: the folder is not trusted.
    """
    if not is_trusted(folder):
        name = module.partition(".")[0]
        hint = f"If you trust that code: dlcli trust {folder}, or plugins=[{name}] for one command that makes runs."
        raise UsageError("untrusted", target=module, folder=folder, hint=hint)
