"""Checkpoints: tensors and plain scalars, loaded with `weights_only=True`."""

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
    """Read the last checkpoint of a run; None if there is none yet.

    Raises:
        UsageError: the checkpoint is damaged or belongs to another run.
    """
    path = run.checkpoint_path("last")
    return _read_own(path, run, "learner", "lengths", "step", "counters") if path.exists() else None


def best_step(path: Path, run: Run) -> int:
    """Read the step at which the run's best.pt was saved."""
    return _read_own(path, run, "model", "step")["step"]


def _read_own(path: Path, run: Run, *keys: str) -> dict[str, Any]:
    """Read a checkpoint and check that it belongs to the run and holds `keys`."""
    saved = read_checkpoint(path)
    missing = [key for key in ("run", *keys) if key not in saved]
    if missing:
        raise Mismatch("damaged", path=path, problem=f"not a checkpoint of a run: {', '.join(missing)} missing")
    if saved["run"] != run.id:
        raise Mismatch("mismatch", subject=path, requirement=f"run {saved['run']}", got=f"run {run.id}")
    return saved


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the tensors and plain scalars of a checkpoint onto the CPU.

    Raises:
        Missing: the file does not exist.
        UsageError: the file is truncated, damaged, or contains something other than tensors and plain scalars.
    """
    _check_sums(path)
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        hint = "The run has not saved this checkpoint yet."
        raise Missing("missing_file", path=path, hint=hint) from None
    except pickle.UnpicklingError:
        problem = "contains something other than tensors and plain values; it was not loaded"
        raise UsageError("damaged", path=path, problem=problem) from None
    except Exception as error:  # noqa: BLE001 - a damaged file raises arbitrary exceptions in the reader
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UsageError("damaged", path=path, problem=f"truncated or overwritten ({reason})") from None
    if not isinstance(saved, dict):
        problem = f"not a checkpoint of a run: contains a {type(saved).__name__}"
        raise Mismatch("damaged", path=path, problem=problem)
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
    """Serialize a checkpoint to the content of a file."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    return buffer.getvalue()
