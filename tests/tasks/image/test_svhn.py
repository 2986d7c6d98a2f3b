"""SVHN: samples are the last axis, 10 stands for 0, extra images are for training alone."""

import numpy as np
import pytest
import torch
from helpers.errors import usage_error
from scipy.io import savemat

from dlcli.core.errors import Missing
from dlcli.tasks.image.augment import Unchanged
from dlcli.tasks.image.svhn import SVHN


def arrays(count, start=0):
    """Red grows along the columns, green along the rows, blue is the number of the image."""
    x = np.zeros((32, 32, 3, count), np.uint8)
    x[:, :, 0] = np.arange(32)[None, :, None]
    x[:, :, 1] = np.arange(32)[:, None, None]
    x[:, :, 2] = np.arange(start, start + count)
    return {"X": x, "y": (np.arange(count)[:, None] % 10 + 1).astype(np.uint8)}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    for name in ("svhn", "svhn-extra"):
        (tmp_path / name).mkdir()
    savemat(tmp_path / "svhn" / "train_32x32.mat", arrays(120), do_compression=True)
    savemat(tmp_path / "svhn" / "test_32x32.mat", arrays(20))
    savemat(tmp_path / "svhn-extra" / "extra_32x32.mat", arrays(30, 200))
    return tmp_path


def made(extra=False):
    return SVHN(extra=extra, scaling="none", augment=Unchanged(), batch=16, order=0, fitted=None)


def test_axes_and_the_digit_nought(root):
    batch = made().batch("test", 0)
    assert batch.inputs[0].shape == (20, 3, 32, 32)
    assert batch.target.tolist() == [*range(1, 10), 0] * 2
    x = (batch.inputs[0] * 255).round()
    assert torch.equal(x[5, 0], torch.arange(32.0).expand(32, 32))
    assert torch.equal(x[5, 1], torch.arange(32.0)[:, None].expand(32, 32))
    assert x[:, 2, 3, 4].tolist() == list(range(20))


def test_extra_is_for_training_and_leaves_the_other_splits_as_they_are(root):
    plain, more = made(), made(extra=True)
    assert len(plain._split("train")) + 30 == len(more._split("train")) == 140
    for split in ("valid", "test"):
        assert torch.equal(plain._split(split).pixels, more._split(split).pixels)
    (root / "svhn-extra" / "extra_32x32.mat").unlink()
    with usage_error("missing_file", kind=Missing, path="extra_32x32.mat"):
        made(extra=True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"y": arrays(120)["y"] - 1}, {"code": "invalid_data", "path": "train_32x32.mat"}),
        ({"y": arrays(120)["y"] + 1}, {"code": "invalid_data", "path": "train_32x32.mat"}),
        ({"y": arrays(110)["y"]}, {"match": "120.* 110"}),
        ({"y": arrays(120)["y"] + 0.5}, {"code": "invalid_data", "path": "train_32x32.mat"}),
        ({"X": arrays(120)["X"].transpose(3, 2, 0, 1)}, {"code": "invalid_data", "path": "train_32x32.mat"}),
        ({"X": arrays(120)["X"].astype(float)}, {"code": "invalid_data", "path": "train_32x32.mat"}),
    ],
)
def test_other_arrays(root, changes, expected):
    savemat(root / "svhn" / "train_32x32.mat", arrays(120) | changes)
    with usage_error(**expected):
        made()


def test_damaged_files(root):
    path = root / "svhn" / "train_32x32.mat"
    whole = path.read_bytes()
    for content in (whole[:-100], whole[:200], whole[:100], b"", b"<html>not found</html>" * 20):
        path.write_bytes(content)
        with usage_error("damaged", path="train_32x32.mat"):
            made()
    savemat(path, {"X": arrays(3)["X"]})
    with usage_error("invalid_data", path="train_32x32.mat"):
        made()
