"""Where data sets lie, and which files belong to them."""

import os
from pathlib import Path

from platformdirs import user_cache_path

from dlcli.core.errors import Missing


def data_folder() -> Path:
    """`DLCLI_DATA`, or `data` in the user's cache directory."""
    given = os.environ.get("DLCLI_DATA")
    return Path(given).expanduser() if given else user_cache_path("dlcli") / "data"


def data_file(dataset: str, name: str) -> Path:
    """The path of a data set's file.

    Raises:
        Missing: it is not there; the message says what gets it.
    """
    path = data_folder() / dataset / name
    if not path.is_file():
        raise Missing(f"{path} is missing.\nGet it: dlcli data fetch {dataset}")
    return path
