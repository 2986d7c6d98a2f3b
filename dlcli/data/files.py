"""Locate the files of data sets."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from dlcli.core.errors import Missing


def data_folder() -> Path:
    """Root directory of the data sets: `DLCLI_DATA`, by default `data` in the user's cache directory."""
    configured = os.environ.get("DLCLI_DATA")
    return Path(configured).expanduser() if configured else user_cache_path("dlcli") / "data"


def data_file(dataset: str, name: str) -> Path:
    """Path of a file of a data set.

    Raises:
        Missing: the file is missing; the hint names the command that downloads it.
    """
    path = data_folder() / dataset / name
    if not path.is_file():
        raise Missing("missing_file", path=path, hint=f"Download it: dlcli data fetch {dataset}")
    return path
