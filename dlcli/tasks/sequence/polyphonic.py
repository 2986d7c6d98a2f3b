"""Polyphonic music modeling: predict which of 88 keys sound in the next frame."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from scipy.io import loadmat
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.spec import Real, Spec
from dlcli.data.files import data_file
from dlcli.tasks.arrays import InMemoryTask
from dlcli.tasks.targets.piano_roll import PianoRoll

_KEYS = 88
_CELLS = {"train": "traindata", "valid": "validdata", "test": "testdata"}


class Pieces:
    """Piano rolls of unequal length, concatenated and stored as bytes.

    Args:
        frames: 1 for sounding keys.
        lengths: number of frames of each piece; stays on the CPU, where batches are assembled.
    """

    def __init__(self, frames: UInt8[Tensor, "time unit"], lengths: Int[Tensor, " sample"]) -> None:
        self.frames, self.lengths = frames, lengths
        self._offsets = lengths.cumsum(0) - lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def take(
        self, rows: Tensor | slice
    ) -> tuple[tuple[Float[Tensor, "batch unit time"]], Float[Tensor, "batch unit time"]]:
        """Inputs (all frames except the last) and targets (all except the first), padded with 0 and NaN."""
        rows = rows.cpu() if isinstance(rows, Tensor) else rows
        lengths, device = self.lengths[rows], self.frames.device
        step = torch.arange(int(lengths.max()))
        frame = (self._offsets[rows, None] + step).clamp(max=len(self.frames) - 1)
        padding = (step >= lengths[:, None]).to(device)[:, None]
        roll = self.frames[frame.to(device)].transpose(1, 2).float().masked_fill_(padding, 0)
        return (roll[..., :-1].contiguous(),), roll[..., 1:].masked_fill(padding[..., 1:], torch.nan)

    def to(self, device: torch.device) -> "Pieces":
        return Pieces(self.frames.to(device), self.lengths)


class Polyphonic(InMemoryTask):
    """Next-frame prediction on piano rolls of 88 keys: chorales or folk tunes.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4; data of Boulanger-Lewandowski, Bengio &
    Vincent 2012, arXiv:1206.6392. Differs: the authors minimize the sum over the frames of a piece instead of the mean.

    Args:
        corpus: "JSB_Chorales" (229 / 76 / 77 pieces) or "Nottingham" (694 / 173 / 170): a .mat file in the
            folder poly-music.
        batch: pieces per training batch, padded to the longest; the authors use one.
        order: seed of shuffling.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        Missing: the file is missing.
        UsageError: the file is not a .mat file of piano rolls, or `batch` is below 1.
    """

    def __init__(self, *, corpus: str, batch: int, order: int, metrics: Sequence[str] | None = None) -> None:
        splits = _read(data_file("poly-music", f"{corpus}.mat"))
        spec = Spec((Real((_KEYS, None)),), Real((_KEYS, None)), causal=True)
        super().__init__(splits, spec, PianoRoll(), batch=batch, order=order, metrics=metrics)


def _read(path: Path) -> dict[str, Pieces]:
    try:
        content = loadmat(path)
    except Exception as error:  # noqa: BLE001 (scipy fails in many ways on a damaged file)
        raise UsageError("damaged", path=path, problem=f"not a readable .mat file: {error}") from None
    absent = [cell for cell in _CELLS.values() if cell not in content]
    if absent:
        raise UsageError("invalid_data", path=path, problem=f"array {', '.join(absent)} missing")
    return {split: _pieces(path, cell, content[cell].ravel()) for split, cell in _CELLS.items()}


def _pieces(path: Path, cell: str, rolls: np.ndarray) -> Pieces:
    pieces = [_roll(path, cell, roll) for roll in rolls]
    if not pieces:
        raise UsageError("invalid_data", path=path, problem=f"{cell} has no pieces")
    return Pieces(torch.from_numpy(np.concatenate(pieces)), torch.tensor([len(roll) for roll in pieces]))


def _roll(path: Path, cell: str, piece: Any) -> np.ndarray:
    roll = np.asarray(piece)
    if roll.ndim != 2 or roll.shape[1] != _KEYS or len(roll) < 2:
        problem = f"pieces of {cell} must have shape (at least 2 frames, {_KEYS} keys), got {roll.shape}"
        raise UsageError("invalid_data", path=path, problem=problem)
    return roll.astype(np.uint8)
