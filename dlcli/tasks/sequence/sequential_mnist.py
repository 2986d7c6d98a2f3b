"""MNIST as pixel sequences, in row-major or permuted order."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from dlcli.core.rng import generator
from dlcli.core.spec import Classes, Real, Spec
from dlcli.tasks.arrays import InMemoryTask
from dlcli.tasks.image.idx_images import idx_splits
from dlcli.tasks.targets.classification import Classification


@dataclass(frozen=True)
class PixelSequences:
    """Sequences of gray values, stored as bytes: a quarter of the memory of floats."""

    values: UInt8[Tensor, "sample time"]
    labels: Int[Tensor, " sample"]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor | slice) -> tuple[tuple[Float[Tensor, "batch 1 time"]], Int[Tensor, " batch"]]:
        return (self.values[rows].float().div_(255)[:, None],), self.labels[rows]

    def to(self, device: torch.device) -> "PixelSequences":
        return PixelSequences(self.values.to(device), self.labels.to(device))


class SequentialMNIST(InMemoryTask):
    """70,000 handwritten digits of 28 x 28 pixels as 784 steps of one channel in [0, 1].

    The official 60,000 training images are split, stratified and independently of the seed, into 55,000 for training
    and 5,000 for validation; the official 10,000 test images are the test split.

    Paper: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 4, after Le, Jaitly & Hinton 2015,
    arXiv:1504.00941. Differs: the authors train on all 60,000 images without a validation split, and subtract
    0.1307 from the pixels and divide by 0.3081. Their permutation is not published; any fixed permutation gives an
    equivalent problem.

    Args:
        permutation: seed of the fixed order of the pixels, 1 for permuted MNIST; None: row-major order.
        batch: training batch size.
        order: seed of shuffling.
        metrics: names of the reported metrics; None: the defaults of the target type.

    Raises:
        Missing: a file is missing.
        UsageError: a file is corrupt, or the numbers of images and labels differ.
    """

    def __init__(
        self, *, permutation: int | None, batch: int, order: int, metrics: Sequence[str] | None = None
    ) -> None:
        splits = idx_splits("mnist")
        pixels = {name: split.images.flatten(1) for name, split in splits.items()}
        time = pixels["train"].shape[1]
        if permutation is not None:
            pixel_order = torch.randperm(time, generator=generator(permutation))
            pixels = {name: values[:, pixel_order] for name, values in pixels.items()}
        sequences = {name: PixelSequences(values, splits[name].labels) for name, values in pixels.items()}
        names = [str(digit) for digit in range(10)]
        spec = Spec((Real((1, time)),), Classes(10))
        super().__init__(sequences, spec, Classification(names), batch=batch, order=order, metrics=metrics)
