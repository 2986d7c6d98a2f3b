"""The handwritten digits that come with scikit-learn, in the one split that everybody has."""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dlcli.tasks.arrays import Arrays

NAMES = [str(digit) for digit in range(10)]

_SPLIT_SEED = 20180303  # one split for everybody, whatever the run's seed


def splits(*shape: int) -> dict[str, Arrays]:
    """1,797 digits of 8x8 pixels in [0, 1], every image in this shape (Alpaydin & Kaynak 1998, UCI).

    One stratified split for all: 1,197 train, 300 valid, 300 test.
    """
    digits = load_digits()
    images = torch.from_numpy(digits.data).float().div(16).view(-1, *shape)
    labels = torch.from_numpy(digits.target).long()
    rows = range(len(labels))
    rest, test = train_test_split(rows, test_size=300, stratify=digits.target, random_state=_SPLIT_SEED)
    train, valid = train_test_split(rest, test_size=300, stratify=digits.target[rest], random_state=_SPLIT_SEED)
    return {
        name: Arrays((images[index],), labels[index])
        for name, index in (("train", train), ("valid", valid), ("test", test))
    }
