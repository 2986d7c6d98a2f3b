"""Handwritten digits of scikit-learn, in fixed splits."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dlcli.tasks.arrays import TensorSamples

NAMES = [str(digit) for digit in range(10)]

_SPLIT_SEED = 20180303  # the splits do not depend on the seed of the run


def digit_splits(*shape: int) -> dict[str, TensorSamples]:
    """Load 1,797 digits of 8x8 pixels in [0, 1] (Alpaydin & Kaynak 1998, UCI).

    The splits are stratified: 1,197 training, 300 validation, 300 test images.

    Args:
        shape: shape of one image, with 64 elements.
    """
    digits = load_digits()
    images = torch.from_numpy(digits.data).float().div(16).view(-1, *shape)
    labels = torch.from_numpy(digits.target).long()
    rows = range(len(labels))
    rest, test = train_test_split(rows, test_size=300, stratify=digits.target, random_state=_SPLIT_SEED)
    train, valid = train_test_split(rest, test_size=300, stratify=digits.target[rest], random_state=_SPLIT_SEED)
    return {
        name: TensorSamples((images[index],), labels[index])
        for name, index in (("train", train), ("valid", valid), ("test", test))
    }
