"""`dlcli data`: data sets at their public addresses, downloaded and checked."""

import json
import sys

from omegaconf import OmegaConf

from dlcli.config import catalogue
from dlcli.config.data_sets import files_of
from dlcli.core.errors import Missing
from dlcli.data.files import data_folder


def show(as_json: bool) -> int:
    """One line a data set: whether it is here, its size, what it is, its licence."""
    rows = {}
    for name, path in catalogue.registry("data").items():
        files = files_of(name)
        count = sum(file.path.is_file() and file.path.stat().st_size == file.bytes for file in files)
        rows[name] = {
            "here": "yes" if count == len(files) else f"{count} of {len(files)} files",
            "megabytes": round(sum(file.bytes for file in files) / 1e6, 1),
            "licence": str(OmegaConf.load(path).licence),
            "what": catalogue.describe(path),
        }
    if as_json:
        print(json.dumps({"folder": str(data_folder()), "sets": rows}, indent=1))  # noqa: T201
        return 0
    print(f"under {data_folder()} (DLCLI_DATA)")  # noqa: T201
    for name, row in rows.items():
        print(f"{name:11} here: {row['here']:14} {row['megabytes']:6} MB  {row['what']}  [{row['licence']}]")  # noqa: T201
    return 0


def fetch(name: str) -> int:
    """Download what is missing or damaged; a file is in place only once its SHA-256 is right."""
    import pooch

    from dlcli.report.progress.download import Bar

    pooch.get_logger().setLevel("WARNING")
    for file in files_of(name):
        if file.state() == "ok":
            print(f"{file.path}: ok", file=sys.stderr)  # noqa: T201
            continue
        file.path.parent.mkdir(parents=True, exist_ok=True)
        bar = Bar()
        try:
            pooch.retrieve(
                file.url,
                known_hash=f"sha256:{file.sha256}",
                fname=file.path.name,
                path=file.path.parent,
                downloader=_downloader(file.url, bar),
            )
        except Exception as error:  # noqa: BLE001 - every library below pooch has errors of its own
            raise Missing(f"{file.url} could not be fetched: {_first_line(error)}\nPut it at {file.path}") from None
        finally:
            bar.close()
        print(f"{file.path}: fetched", file=sys.stderr)  # noqa: T201
    return 0


def _downloader(url: str, bar: object) -> object:
    import pooch

    kind = pooch.FTPDownloader if url.startswith("ftp:") else pooch.HTTPDownloader
    return kind(progressbar=bar)


def verify(name: str | None) -> int:
    """Check every file that is here; exit code 2 when one is wrong or the named set is not here."""
    names = [name] if name else list(catalogue.registry("data"))
    wrong = []
    for one in names:
        for file in files_of(one):
            state = file.state()
            print(f"{one:11} {file.path.name:28} {state}")  # noqa: T201
            if state != "ok" and (name or state != "missing"):
                wrong.append(one)
    if wrong:
        raise Missing(f"not as published: {', '.join(dict.fromkeys(wrong))}\nGet it: dlcli data fetch {wrong[0]}")
    return 0


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
