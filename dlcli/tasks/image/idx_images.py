"""Data sets in the four IDX files of MNIST's kind."""

from pathlib import Path

from dlcli.core.errors import Missing
from dlcli.data.files import data_file, data_folder
from dlcli.data.idx import read_idx
from dlcli.data.labeled import Labelled, labelled, with_valid

_CLASSES = 10
_VALID = 12  # one in twelve of the training images: 5,000 of 60,000


def idx_splits(dataset: str) -> dict[str, Labelled]:
    """Train, valid and test of a data set of ten classes.

    One stratified split for all: 5,000 of the official 60,000 training images are the validation split, 55,000 are
    left to train on; the official test images are the test split.

    Args:
        dataset: its folder, with `train-images-idx3-ubyte.gz` and so on, or the same files unpacked.

    Raises:
        Missing: a file is not there.
        UsageError: a file is damaged, or images and labels do not belong together.
    """
    return with_valid(_part(dataset, "train"), _part(dataset, "t10k"), _VALID)


def _part(dataset: str, part: str) -> Labelled:
    images = read_idx(_file(dataset, f"{part}-images-idx3-ubyte"), 3)
    source = _file(dataset, f"{part}-labels-idx1-ubyte")
    return labelled(images[:, None], read_idx(source, 1), _CLASSES, f"{dataset}: {source.name}")


def _file(dataset: str, name: str) -> Path:
    """As published, or unpacked."""
    try:
        return data_file(dataset, f"{name}.gz")
    except Missing:
        plain = data_folder() / dataset / name
        if plain.is_file():
            return plain
        raise
