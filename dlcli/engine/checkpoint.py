"""Checkpoints: tensors and plain scalars, and nothing else is ever loaded."""

import io
import pickle
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlcli.core.errors import Mismatch, Missing, UsageError
from dlcli.runs.run import Run


def read_last(run: Run) -> dict[str, Any] | None:
    """The last checkpoint of a run, None where there is none yet.

    Raises:
        UsageError: it cannot be read, or is another run's.
    """
    path = run.checkpoint_path("last")
    return _own(path, run, "learner", "lengths", "step", "counters") if path.exists() else None


def best_step(path: Path, run: Run) -> int:
    """The step that a best.pt of the run is of."""
    return _own(path, run, "model", "step")["step"]


def _own(path: Path, run: Run, *keys: str) -> dict[str, Any]:
    saved = read_checkpoint(path)
    missing = [key for key in ("run", *keys) if key not in saved]
    if missing:
        raise Mismatch(f"{path} is not a checkpoint of a run: it has no {', '.join(missing)}")
    if saved["run"] != run.id:
        raise Mismatch(f"{path} belongs to run {saved['run']}, not to {run.id}")
    return saved


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The tensors and plain scalars of a checkpoint, on the CPU.

    Raises:
        Missing: there is none.
        UsageError: it is truncated, damaged, or holds anything else than tensors and plain scalars.
    """
    _check_sums(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise Missing(f"{path} is missing: the run has no such checkpoint yet") from None
    except pickle.UnpicklingError:
        raise UsageError(f"{path} holds something else than tensors and plain values; it was not loaded") from None
    except Exception as error:  # noqa: BLE001 - whatever a damaged file makes the reader trip over
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError(f"{path} cannot be read: truncated or damaged ({reason})") from None
    if not isinstance(saved, dict):
        raise Mismatch(f"{path} is not a checkpoint of a run: it holds a {type(saved).__name__}")
    return saved


def _check_sums(path: Path) -> None:
    """Compare the content of a checkpoint with its checksums (the CRC-32 of each entry of the ZIP file).

    `torch.load` does not: flipped bytes of a weight would change scores without an error.

    Raises:
        UsageError: an entry has changed since it was written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, NotImplementedError):
        return  # torch.load states what is wrong
    if damaged is not None:
        hint = "Its content has changed since it was written: use another run, or train again."
        raise UsageError("damaged", path=path, problem=f"checksum of {damaged} does not match", hint=hint)


def to_bytes(state: Mapping[str, Any]) -> bytes:
    """A checkpoint as the content of a file."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()
