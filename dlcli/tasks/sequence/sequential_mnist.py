"""MNIST read pixel by pixel, in rows or in a permuted order."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from dlcli.core.rng import generator
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import ArrayTask
from dlcli.tasks.image.idx_images import idx_splits
from dlcli.tasks.targets.classification import Classification


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
        batch: training batch size.
        order: seed of shuffling.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        Missing: a file is missing.
        UsageError: a file is damaged, or images and labels do not belong together.
    """

    def __init__(
        self, *, permutation: int | None, batch: int, order: int, metrics: Sequence[str] | None = None
    ) -> None:
        splits = idx_splits("mnist")
        found = {name: split.images.flatten(1) for name, split in splits.items()}
        time = found["train"].shape[1]
        if permutation is not None:
            places = torch.randperm(time, generator=generator(permutation))
            found = {name: pixels[:, places] for name, pixels in found.items()}
        kept = {name: Pixels(pixels, splits[name].labels) for name, pixels in found.items()}
        names = [str(digit) for digit in range(10)]
        spec = Spec((Real((1, time)),), Classes(10))
        super().__init__(kept, spec, Classification(names), batch=batch, order=order, metrics=metrics)
