"""Reader of the two published formats of CIFAR: Python pickles and plain bytes."""

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
from dlcli.data.labeled import Labeled, labeled, with_valid
from dlcli.data.plain_pickle import read_pickle

_SHAPE = (3, 32, 32)  # red, green and blue planes, each in row-major order
_PIXELS = 3 * 32 * 32
_VALID_FRACTION = 10  # 1 of 10 training images: 5,000 of 50,000


@dataclass(frozen=True)
class CifarFormat:
    """File names and label layout of one published version of the data set.

    Args:
        paths: the archive and the extracted folder, of which the first that exists is read.
        train: names of the training files.
        test: name of the test file.
        meta: name of the file with the class names.
        labels: key of the labels in a pickle, or index of the label byte in the binary version.
        names: key of the class names in a pickle; None for the binary version, which has one name per line.
        label_bytes: number of label bytes before every image of the binary version.
    """

    paths: Sequence[str]
    train: Sequence[str]
    test: str
    meta: str
    labels: str | int
    names: str | None = None
    label_bytes: int = 0


def cifar_splits(dataset: str, forms: Sequence[CifarFormat], classes: int) -> tuple[dict[str, Labeled], list[str]]:
    """Read the splits train, valid and test, and the class names.

    The validation split is a stratified tenth of the official training images, the same for every seed.

    Args:
        dataset: folder of the data set, below the data folder.
        forms: the published versions, of which the first that exists is read.
        classes: number of classes.

    Raises:
        Missing: no version exists.
        UsageError: a file is missing, corrupt or unsafe.
    """
    path, form = _locate(dataset, forms)
    required = (*form.train, form.test, form.meta)
    files = read_members(path, required)
    if absent := [name for name in required if name not in files]:
        hint = f"it contains: {', '.join(files) or 'none of the required files'}"
        raise UsageError("damaged", path=path, problem=f"{', '.join(absent)} missing", hint=hint)
    parts = {name: _read_images(form, files[name], classes, f"{path}: {name}") for name in (*form.train, form.test)}
    train = parts[form.train[0]]
    for name in form.train[1:]:
        train = train.followed_by(parts[name])
    names = _class_names(form, files[form.meta], classes, f"{path}: {form.meta}")
    return with_valid(train, parts[form.test], _VALID_FRACTION), names


def _locate(dataset: str, forms: Sequence[CifarFormat]) -> tuple[Path, CifarFormat]:
    folder = data_folder() / dataset
    for form in forms:
        for name in form.paths:
            if (folder / name).exists():
                return folder / name, form
    hint = f"Download it: dlcli data fetch {dataset}"
    raise Missing("missing_file", path=folder / forms[0].paths[0], hint=hint)


def _read_images(form: CifarFormat, content: bytes, classes: int, source: str) -> Labeled:
    pixels, labels = (_pickled if form.names else _binary)(form, content, source)
    images = torch.from_numpy(pixels.reshape(-1, *_SHAPE).copy())
    return labeled(images, torch.from_numpy(labels), classes, source)


def _pickled(form: CifarFormat, content: bytes, source: str) -> tuple[UInt8[np.ndarray, "sample pixel"], np.ndarray]:
    batch = read_pickle(content, source)
    pixels, labels = (_entry(batch, key, source) for key in ("data", str(form.labels)))
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != _PIXELS:
        shape = getattr(pixels, "shape", type(pixels).__name__)
        raise UsageError("invalid_data", path=source, problem=f"data must have shape (N, {_PIXELS}), got {shape}")
    if not isinstance(labels, list) or not all(type(label) is int and abs(label) < 1 << 31 for label in labels):
        raise UsageError("invalid_data", path=source, problem=f"{form.labels} must be a list of integers")
    return pixels, np.array(labels, np.int64)


def _entry(batch: Mapping[str, Any], key: str, source: str) -> Any:
    if key not in batch:
        raise UsageError("not_found", kind=f"key of {source}", name=key, known=batch)
    return batch[key]


def _binary(form: CifarFormat, content: bytes, source: str) -> tuple[UInt8[np.ndarray, "sample pixel"], np.ndarray]:
    row = form.label_bytes + _PIXELS
    if len(content) % row or not content:
        problem = f"its size must be a multiple of {row:,} bytes, got {len(content):,}"
        raise UsageError("damaged", path=source, problem=problem)
    rows = np.frombuffer(content, np.uint8).reshape(-1, row)
    return rows[:, form.label_bytes :], rows[:, int(form.labels)].astype(np.int64)


def _class_names(form: CifarFormat, content: bytes, classes: int, source: str) -> list[str]:
    """Class names in the order of the labels."""
    if form.names is None:
        names = content.decode("utf-8", "replace").split()
    else:
        entries = _entry(read_pickle(content, source), form.names, source)
        names = [name.decode("latin1") if isinstance(name, bytes) else str(name) for name in entries]
    if len(names) != classes:
        raise UsageError("mismatch", subject=source, requirement=f"{classes} class names", got=len(names))
    return names
