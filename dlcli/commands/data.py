"""`dlcli data`: download data sets from their public URLs and verify their checksums."""

import json
import sys

from omegaconf import OmegaConf

from dlcli.config import catalogue
from dlcli.config.data_sets import files_of
from dlcli.core.errors import Missing
from dlcli.data.files import data_folder


def list_data_sets(as_json: bool) -> int:
    """Print one line per data set: whether it is downloaded, its size, description and license."""
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
    print(f"folder: {data_folder()} (environment variable DLCLI_DATA)")  # noqa: T201
    for name, row in rows.items():
        print(f"{name:11} downloaded: {row['here']:14} {row['megabytes']:6} MB  {row['what']}  [{row['licence']}]")  # noqa: T201
    return 0


def fetch(name: str) -> int:
    """Download the missing and damaged files of a data set, each verified by its SHA-256.

    Raises:
        UsageError: there is no such data set.
        Missing: a download failed.
    """
    import pooch

    from dlcli.report.progress.download import DownloadBar

    pooch.get_logger().setLevel("WARNING")
    for file in files_of(name):
        if file.state() == "ok":
            print(f"{file.path}: ok", file=sys.stderr)  # noqa: T201
            continue
        file.path.parent.mkdir(parents=True, exist_ok=True)
        bar = DownloadBar()
        try:
            pooch.retrieve(
                file.url,
                known_hash=f"sha256:{file.sha256}",
                fname=file.path.name,
                path=file.path.parent,
                downloader=_downloader(file.url, bar),
            )
        except Exception as error:  # noqa: BLE001 - each library below pooch has its own exceptions
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            hint = f"Check the connection, or save the file as {file.path}."
            raise Missing("download_failed", url=file.url, reason=reason, hint=hint) from None
        finally:
            bar.close()
        print(f"{file.path}: fetched", file=sys.stderr)  # noqa: T201
    return 0


def _downloader(url: str, bar: object) -> object:
    import pooch

    kind = pooch.FTPDownloader if url.startswith("ftp:") else pooch.HTTPDownloader
    return kind(progressbar=bar)


def verify(name: str | None) -> int:
    """Compare every downloaded file with its published SHA-256.

    Args:
        name: data set; None verifies all that are downloaded.

    Raises:
        UsageError: there is no such data set.
        Missing: a file is damaged, or the named data set is not downloaded.
    """
    invalid: list[str] = []
    for dataset in [name] if name else catalogue.registry("data"):
        for file in files_of(dataset):
            state = file.state()
            print(f"{dataset:11} {file.path.name:28} {state}")  # noqa: T201
            if state != "ok" and (name or state != "missing"):
                invalid.append(dataset)
    if invalid:
        hint = f"Download the data: dlcli data fetch {invalid[0]}"
        problem = f"{len(invalid)} file{'s' * (len(invalid) != 1)} missing or damaged"
        raise Missing("invalid_data", path=", ".join(dict.fromkeys(invalid)), problem=problem, hint=hint)
    return 0
