"""MNIST by pixel: its files, its split, its permutation."""

import gzip
import struct

import pytest
import torch
from helpers.errors import usage_error

from dlcli.core.errors import Missing, UsageError
from dlcli.data.idx import read_idx
from dlcli.tasks.sequence.sequential_mnist import SequentialMNIST


def idx(values):
    header = struct.pack(f">4B{values.dim()}I", 0, 0, 8, values.dim(), *values.shape)
    return header + values.to(torch.uint8).numpy().tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """120 + 20 images; the first two pixels are the number of the image, the others its ramp."""
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    for part, count in (("train", 120), ("t10k", 20)):
        images = (torch.arange(28 * 28) % 200 + torch.arange(count)[:, None]) % 256
        images[:, 0], images[:, 1] = torch.arange(count), 255
        save(tmp_path, f"{part}-images-idx3-ubyte.gz", images.view(count, 28, 28))
        save(tmp_path, f"{part}-labels-idx1-ubyte.gz", torch.arange(count) % 10)
    return tmp_path / "mnist"


def save(root, name, values):
    (root / "mnist" / name).write_bytes(gzip.compress(idx(values)))


def mnist(permutation=None):
    return SequentialMNIST(permutation=permutation, batch=16, order=0)


def whole(task, split):
    batches = [task.batch(split, i) for i in range(task.size(split))]
    return torch.cat([batch.inputs[0] for batch in batches]), torch.cat([batch.target for batch in batches])


def test_pixels_are_read_row_by_row_as_values_up_to_one(folder):
    x, y = whole(mnist(), "test")
    assert x.shape == (20, 1, 784)
    assert x.dtype == torch.float32
    assert x[3, 0, :3].tolist() == pytest.approx([3 / 255, 1.0, 5 / 255])
    assert y.tolist() == [i % 10 for i in range(20)]


def test_train_and_valid_share_the_training_images_by_class(folder):
    numbers = {split: (whole(mnist(), split)[0][:, 0, 0] * 255).round().int() for split in ("train", "valid")}
    assert len(numbers["valid"]) == 10
    assert sorted(torch.cat(list(numbers.values())).tolist()) == list(range(120))
    assert sorted((numbers["valid"] % 10).tolist()) == list(range(10))


def test_one_permutation_for_every_image_and_split(folder):
    plain, permuted = mnist(), mnist(permutation=1)
    for split in ("valid", "test"):
        before, after = whole(plain, split)[0], whole(permuted, split)[0]
        assert not torch.equal(before, after)
        assert torch.equal(before.sort(-1).values, after.sort(-1).values)
    test, valid = ((whole(permuted, split)[0] * 255).round() for split in ("test", "valid"))
    # Image i is image 0 plus i (modulo 256), but for the pixel that is 255 in all: one order is common to all.
    for x in (test, valid):
        shift = (x - test[0]) % 256
        assert ((shift == shift[..., :1]) | (x == 255)).all()


def test_a_permutation_is_its_seed(folder):
    one, same, other = (whole(mnist(permutation=seed), "test")[0] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def cut_off(content):
    return gzip.compress(content, mtime=0)[:-20]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"not gzip at all", {"code": "damaged", "path": "labels.gz"}),
        (cut_off(idx(torch.arange(5))), {"code": "damaged", "path": "labels.gz"}),
        (gzip.compress(b"", mtime=0), {"code": "invalid_data", "path": "labels.gz"}),
        (gzip.compress(b"\x89PNG\r\n", mtime=0), {"code": "invalid_data", "path": "labels.gz"}),
        (gzip.compress(bytes((0, 0, 13, 1)) + bytes(8), mtime=0), {"code": "invalid_data", "path": "labels.gz"}),
        (gzip.compress(idx(torch.zeros(2, 3)), mtime=0), {"code": "mismatch", "got": 2}),
        (gzip.compress(idx(torch.arange(5))[:6], mtime=0), {"code": "damaged", "path": "labels.gz"}),
        (gzip.compress(idx(torch.arange(5))[:-1], mtime=0), {"code": "damaged", "path": "labels.gz"}),
        (gzip.compress(idx(torch.arange(5)) + b"x", mtime=0), {"code": "damaged", "path": "labels.gz"}),
        (gzip.compress(idx(torch.arange(0)), mtime=0), {"code": "damaged", "path": "labels.gz"}),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, content, expected):
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with usage_error(**expected) as caught:
        read_idx(path, 1)
    assert str(path) in str(caught.value)


def test_a_missing_file_says_how_to_get_it(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with usage_error("missing_file", kind=Missing, path="t10k-labels-idx1-ubyte.gz"):
        mnist()
    with usage_error("missing_file", path="nothing.gz"):
        read_idx(folder / "nothing.gz", 1)


def test_images_and_labels_belong_together(folder):
    save(folder.parent, "t10k-labels-idx1-ubyte.gz", torch.arange(19) % 10)
    with pytest.raises(UsageError, match=r"has 20 images, but 19 labels"):
        mnist()
    save(folder.parent, "t10k-labels-idx1-ubyte.gz", torch.arange(20))
    with pytest.raises(UsageError, match="has the label 19; classes are 0 to 9"):
        mnist()


def test_the_official_files(real_data):
    for part in ("train", "t10k"):
        real_data("mnist", f"{part}-images-idx3-ubyte.gz")
    task = SequentialMNIST(permutation=None, batch=64, order=0)
    assert {split: len(task._split(split)) for split in ("train", "valid", "test")} == {
        "train": 55_000,
        "valid": 5_000,
        "test": 10_000,
    }
    assert task.batch("test", 0).target[:5].tolist() == [7, 2, 1, 0, 4]
    train, valid = (torch.bincount(task._split(split).labels) for split in ("train", "valid"))
    assert torch.allclose(train / 11, valid.float(), atol=1)
    assert train.sum() + valid.sum() == 60_000
    assert (train + valid).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
