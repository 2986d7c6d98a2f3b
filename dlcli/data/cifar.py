"""The two forms in which CIFAR is published: Python's pickles, and plain bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from dlcli.core.errors import Missing, UsageError
from dlcli.data.archive import read_members
from dlcli.data.files import data_folder
from dlcli.data.labeled import Labelled, labelled, with_valid
from dlcli.data.plain_pickle import read_pickle

_SHAPE = (3, 32, 32)  # red, green and blue planes, each row by row
_PIXELS = 3 * 32 * 32
_VALID = 10  # one in ten of the training images: 5,000 of 50,000


@dataclass(frozen=True)
class Form:
    """How a version of the data set is laid out.

    Args:
        places: archive and folder, of which the first that is there is read.
        train: its training files.
        test: its test file.
        meta: the file with the names of the classes.
        labels: the key of the labels in a pickle; their place in front of an image in the binary version.
        names: the key of the names in a pickle; None where they are lines.
        before: label bytes in front of every image of the binary version.
    """

    places: Sequence[str]
    train: Sequence[str]
    test: str
    meta: str
    labels: str | int
    names: str | None = None
    before: int = 0


def cifar_splits(dataset: str, forms: Sequence[Form], classes: int) -> tuple[dict[str, Labelled], list[str]]:
    """Train, valid and test, and the names of the classes.

    One stratified split for all: one in ten of the official training images is the validation split.

    Args:
        dataset: its folder.
        forms: the versions, of which the first that is there is read.

    Raises:
        Missing: none is there.
        UsageError: a file is missing from it, damaged or hostile.
    """
    path, form = _find(dataset, forms)
    wanted = (*form.train, form.test, form.meta)
    files = read_members(path, wanted)
    if absent := [name for name in wanted if name not in files]:
        raise UsageError(f"{path} lacks {', '.join(absent)}; it has: {', '.join(files) or 'none of the wanted files'}")
    parts = {name: _part(form, files[name], classes, f"{path}: {name}") for name in (*form.train, form.test)}
    full = parts[form.train[0]]
    for name in form.train[1:]:
        full = full.followed_by(parts[name])
    names = _names(form, files[form.meta], classes, f"{path}: {form.meta}")
    return with_valid(full, parts[form.test], _VALID), names


def _find(dataset: str, forms: Sequence[Form]) -> tuple[Path, Form]:
    folder = data_folder() / dataset
    for form in forms:
        for place in form.places:
            if (folder / place).exists():
                return folder / place, form
    raise Missing(f"{folder / forms[0].places[0]} is missing.\nGet it: dlcli data fetch {dataset}")


def _part(form: Form, content: bytes, classes: int, source: str) -> Labelled:
    pixels, labels = (_pickled if form.names else _binary)(form, content, source)
    images = torch.from_numpy(pixels.reshape(-1, *_SHAPE).copy())
    return labelled(images, torch.from_numpy(labels), classes, source)


def _pickled(form: Form, content: bytes, source: str) -> tuple[UInt8[np.ndarray, "sample pixel"], np.ndarray]:
    batch = read_pickle(content, source)
    pixels, labels = (_entry(batch, key, source) for key in ("data", str(form.labels)))
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        raise UsageError(f"{source}: data is {getattr(pixels, 'shape', type(pixels).__name__)}, not rows of {_PIXELS}")
    if not isinstance(labels, list) or not all(type(label) is int and abs(label) < 1 << 31 for label in labels):
        raise UsageError(f"{source}: {form.labels} is no list of whole numbers")
    return pixels, np.array(labels, np.int64)


def _entry(batch: Mapping[str, Any], key: str, source: str) -> Any:
    if key not in batch:
        raise UsageError(f"{source} has no {key!r}; it has: {', '.join(batch)}")
    return batch[key]


def _binary(form: Form, content: bytes, source: str) -> tuple[UInt8[np.ndarray, "sample pixel"], np.ndarray]:
    row = form.before + _PIXELS
    if len(content) % row or not content:
        raise UsageError(f"{source} has {len(content):,} bytes, which are no rows of {row:,}")
    rows = np.frombuffer(content, np.uint8).reshape(-1, row)
    return rows[:, form.before :], rows[:, int(form.labels)].astype(np.int64)


def _names(form: Form, content: bytes, classes: int, source: str) -> list[str]:
    """The names of the classes in the order of their numbers."""
    if form.names is None:
        found = content.decode("utf-8", "replace").split()
    else:
        listed = _entry(read_pickle(content, source), form.names, source)
        found = [name.decode("latin1") if isinstance(name, bytes) else str(name) for name in listed]
    if len(found) != classes:
        raise UsageError(f"{source} names {len(found)} classes, not {classes}")
    return found
