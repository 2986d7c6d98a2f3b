"""MNIST read pixel by pixel, in rows or in a permuted order."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from sklearn.model_selection import train_test_split
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.core.files import data_file
from dlcli.core.random import generator
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.idx import read_idx
from dlcli.tasks.yardstick import Classification

_SPLIT_SEED = 20180303  # one split for everybody, whatever the run's seed
_VALID = 12  # one in twelve of the training images: 5,000 of 60,000


@dataclass(frozen=True)
class Pixels:
    """Sequences of grey values, kept as bytes: a quarter of the memory of floats."""

    values: UInt8[Tensor, "sample time"]
    labels: Int[Tensor, " sample"]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor | slice) -> tuple[tuple[Float[Tensor, "batch 1 time"]], Int[Tensor, " batch"]]:
        return (self.values[rows].float().div_(255)[:, None],), self.labels[rows]

    def to(self, device: torch.device) -> "Pixels":
        return Pixels(self.values.to(device), self.labels.to(device))


class SequentialMNIST(ArrayTask):
    """70,000 handwritten digits of 28 x 28 pixels as 784 steps of one channel in [0, 1].

    One stratified split for all: 5,000 of the official 60,000 training images are the validation split,
    55,000 are left to train on; the official 10,000 test images are the test split.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4, after Le, Jaitly & Hinton 2015,
    arXiv:1504.00941. Differs: the authors train on all 60,000 images without a validation split, and subtract
    0.1307 from the pixels and divide by 0.3081. Which permutation they took is not published; any fixed one
    is the same problem.

    Args:
        permutation: seed of the order in which the pixels of every image are read, 1 for permuted MNIST; null
            reads row by row.
        batch: rows of a training batch.
        order: seed of the shuffling.

    Raises:
        Missing: a file is not there.
        UsageError: a file is damaged, or images and labels do not belong together.
    """

    def __init__(self, *, permutation: int | None, batch: int, order: int) -> None:
        full, test = _read("train", permutation), _read("t10k", permutation)
        train, valid = train_test_split(
            np.arange(len(full)),
            test_size=max(10, len(full) // _VALID),
            stratify=full.labels.numpy(),
            random_state=_SPLIT_SEED,
        )
        splits = {
            "train": Pixels(full.values[train], full.labels[train]),
            "valid": Pixels(full.values[valid], full.labels[valid]),
            "test": test,
        }
        spec = Spec((Real((1, full.values.shape[1])),), Classes(10))
        names = [str(digit) for digit in range(10)]
        super().__init__(splits, spec, Classification(names), batch=batch, order=order)


def _read(part: str, permutation: int | None) -> Pixels:
    images_path = data_file("mnist", f"{part}-images-idx3-ubyte.gz")
    labels_path = data_file("mnist", f"{part}-labels-idx1-ubyte.gz")
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise UsageError(f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels")
    if labels.max() > 9:
        raise UsageError(f"{labels_path} has the label {labels.max()}; digits are 0 to 9")
    pixels = images.flatten(1)
    if permutation is not None:
        pixels = pixels[:, torch.randperm(pixels.shape[1], generator=generator(permutation))]
    return Pixels(pixels, labels.long())
