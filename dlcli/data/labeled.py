"""Images with their classes as a data set publishes them, and the validation split that everybody has."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, Integer, UInt8
from sklearn.model_selection import train_test_split
from torch import Tensor

from dlcli.core.errors import UsageError

_SPLIT_SEED = 20180303  # one split for everybody, whatever the run's seed


@dataclass(frozen=True)
class Labeled:
    """Images as bytes, and the class of each."""

    images: UInt8[Tensor, "sample channel height width"]
    labels: Int[Tensor, " sample"]

    def __len__(self) -> int:
        return len(self.labels)

    def pick(self, rows: Tensor) -> "Labeled":
        return Labeled(self.images[rows], self.labels[rows])

    def followed_by(self, other: "Labeled") -> "Labeled":
        return Labeled(torch.cat((self.images, other.images)), torch.cat((self.labels, other.labels)))


def labeled(
    images: UInt8[Tensor, "sample channel height width"], labels: Integer[Tensor, " label"], classes: int, source: str
) -> Labeled:
    """Images and labels that belong together.

    Args:
        classes: how many there are.
        source: where they come from, for messages.

    Raises:
        UsageError: there are not as many of the one as of the other, none at all, or a label is out of range.
    """
    if len(images) != len(labels) or not len(images):
        raise UsageError(f"{source} has {len(images)} images, but {len(labels)} labels")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise UsageError(f"{source} has the label {high if high >= classes else low}; classes are 0 to {classes - 1}")
    return Labeled(images, labels.long())


def with_valid(full: Labeled, test: Labeled, one_in: int) -> dict[str, Labeled]:
    """Train, valid and test of a data set that is published without valid.

    Args:
        full: the published training images.
        one_in: every n-th row of a class belongs to the validation split.

    Raises:
        UsageError: there are too few images of a class, or one class only.
    """
    if len(seen := full.labels.unique()) < 2:
        raise UsageError(f"all {len(full):,} training images have the label {int(seen)}: there is nothing to learn")
    classes = int(full.labels.max()) + 1
    try:
        train, valid = train_test_split(
            np.arange(len(full)),
            test_size=max(classes, len(full) // one_in),
            stratify=full.labels.numpy(),
            random_state=_SPLIT_SEED,
        )
    except ValueError as error:
        raise UsageError(f"no validation split can be taken from {len(full)} training images: {error}") from None
    return {"train": full.pick(torch.from_numpy(train)), "valid": full.pick(torch.from_numpy(valid)), "test": test}
