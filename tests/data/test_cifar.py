"""CIFAR in the forms it is published in: planes of red, green and blue, row by row."""

import io
import pickle
import tarfile

import numpy as np
import pytest
import torch
from helpers.errors import usage_error

from dlcli.core.errors import Missing, UsageError
from dlcli.core.spec import Classes, Real
from dlcli.tasks.image.augment import Unchanged
from dlcli.tasks.image.cifar10 import CIFAR10
from dlcli.tasks.image.cifar100 import CIFAR100

NAMES = [f"class{number}" for number in range(10)]
FINE, COARSE = [f"fine{number}" for number in range(100)], [f"coarse{number}" for number in range(20)]


def image(red, number):
    """Red grows along the columns, green along the rows, blue is the number: a transposed or mixed image shows."""
    x = np.zeros((3, 32, 32), np.uint8)
    x[0] = np.arange(32) + red
    x[1] = np.arange(32)[:, None]
    x[2] = number % 251
    return x


def rows(count, start=0):
    return np.stack([image(10, start + number).reshape(-1) for number in range(count)])


def made(labels=None, scaling="none"):
    settings = {"scaling": scaling, "augment": Unchanged(), "batch": 8, "order": 0, "fitted": None}
    return CIFAR10(**settings) if labels is None else CIFAR100(labels=labels, **settings)


def python10():
    files = {
        f"data_batch_{part}": {"data": rows(20, 20 * part), "labels": [i % 10 for i in range(20)]}
        for part in range(1, 6)
    }
    files["test_batch"] = {"data": rows(10), "labels": list(range(10))[::-1]}
    files["batches.meta"] = {"label_names": NAMES, "num_vis": 3072}
    return {name: pickle.dumps(value, 2) for name, value in files.items()}


def binary10():
    files = {
        f"data_batch_{part}.bin": np.c_[np.arange(20, dtype=np.uint8) % 10, rows(20, 20 * part)].tobytes()
        for part in range(1, 6)
    }
    files["test_batch.bin"] = np.c_[np.arange(10, dtype=np.uint8)[::-1], rows(10)].tobytes()
    return files | {"batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode()}


def python100():
    def part(count):
        fine = [i % 100 for i in range(count)]
        coarse = [(i % 100) // 5 for i in range(count)]
        return {"data": rows(count), "fine_labels": fine, "coarse_labels": coarse}

    files = {"train": part(400), "test": part(100), "meta": {"fine_label_names": FINE, "coarse_label_names": COARSE}}
    return {name: pickle.dumps(value, 2) for name, value in files.items()}


def binary100():
    def part(count):
        fine = np.arange(count) % 100
        return np.c_[fine // 5, fine, rows(count)].astype(np.uint8).tobytes()

    lines = {"fine_label_names.txt": FINE, "coarse_label_names.txt": COARSE}
    names = {name: "\n".join(listed).encode() for name, listed in lines.items()}
    return {"train.bin": part(400), "test.bin": part(100)} | names


def packed(path, files, inside):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{inside}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def unpacked(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    return tmp_path


def lay(root, form):
    """The same data in one of the four forms."""
    if form == "python.tar.gz":
        packed(root / "cifar-10" / "cifar-10-python.tar.gz", python10(), "cifar-10-batches-py")
        packed(root / "cifar-100" / "cifar-100-python.tar.gz", python100(), "cifar-100-python")
    elif form == "binary.tar.gz":
        packed(root / "cifar-10" / "cifar-10-binary.tar.gz", binary10(), "cifar-10-batches-bin")
        packed(root / "cifar-100" / "cifar-100-binary.tar.gz", binary100(), "cifar-100-binary")
    elif form == "python":
        unpacked(root / "cifar-10" / "cifar-10-batches-py", python10())
        unpacked(root / "cifar-100" / "cifar-100-python", python100())
    else:
        unpacked(root / "cifar-10" / "cifar-10-batches-bin", binary10())
        unpacked(root / "cifar-100" / "cifar-100-binary", binary100())


FORMS = ["python.tar.gz", "binary.tar.gz", "python", "binary"]


@pytest.mark.parametrize("form", FORMS)
def test_planes_rows_and_labels_are_where_they_belong(root, form):
    lay(root, form)
    task = made()
    assert task.spec.inputs == (Real((3, 32, 32)),)
    assert task.spec.target == Classes(10)
    assert task.classes == NAMES
    batch = task.batch("test", 0)
    assert batch.target.tolist() == list(range(10))[::-1]
    for number in range(10):
        torch.testing.assert_close(batch.inputs[0][number] * 255, torch.from_numpy(image(10, number)).float())


@pytest.mark.parametrize("form", FORMS)
def test_training_files_follow_one_another_and_one_in_ten_is_valid(root, form):
    lay(root, form)
    task = made()
    train, valid = task._split("train"), task._split("valid")
    assert (len(train), len(valid)) == (90, 10)
    assert sorted(valid.target.tolist()) == list(range(10))
    blue = torch.cat((train.pixels, valid.pixels))[:, 2, 0, 0].int()
    labels = torch.cat((train.target, valid.target))
    assert sorted(blue.tolist()) == list(range(20, 120))
    assert torch.equal(blue % 20 % 10, labels.int())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("labels", "names"), [("fine", FINE), ("coarse", COARSE)])
def test_a_hundred_classes_are_twenty_kinds(root, form, labels, names):
    lay(root, form)
    task = made(labels)
    assert task.classes == names
    numbers = torch.cat([task.batch("test", index).target for index in range(task.size("test"))])
    assert numbers.tolist() == [number if labels == "fine" else number // 5 for number in range(100)]


def test_normalisation_is_by_channel(root):
    lay(root, "python")
    task = made(scaling="standard")
    x = torch.cat([task.batch("train", index).inputs[0] for index in range(task.size("train"))])
    assert x.mean((0, 2, 3)).tolist() == pytest.approx([0.0] * 3, abs=1e-5)
    assert x.std((0, 2, 3), correction=0).tolist() == pytest.approx([1.0] * 3, abs=1e-4)


def changed(root, name, content):
    files = python10() | {name: content}
    folder = root / "cifar-10" / "cifar-10-batches-py"
    unpacked(folder, {key: value for key, value in files.items() if value is not None})


class Runs:
    def __reduce__(self):
        return eval, ("1/0",)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("data_batch_2", None, {"code": "damaged", "path": "cifar-10-batches-py"}),
        (
            "data_batch_2",
            python10()["data_batch_2"][:500],
            {"code": "damaged", "path": "cifar-10-batches-py: data_batch_2"},
        ),
        (
            "data_batch_2",
            pickle.dumps({"data": Runs()}),
            {"code": "invalid_data", "path": "cifar-10-batches-py: data_batch_2"},
        ),
        ("data_batch_2", pickle.dumps({"data": rows(2)}, 2), {"code": "not_found", "name": "labels"}),
        (
            "data_batch_2",
            pickle.dumps({"data": rows(2)[:, :50], "labels": [1, 2]}, 2),
            {"code": "invalid_data", "path": "cifar-10-batches-py: data_batch_2"},
        ),
        (
            "data_batch_2",
            pickle.dumps({"data": [1], "labels": [1]}, 2),
            {"code": "invalid_data", "path": "cifar-10-batches-py: data_batch_2"},
        ),
        ("data_batch_2", pickle.dumps({"data": rows(2), "labels": [1]}, 2), {"match": "2.* 1"}),
        ("data_batch_2", pickle.dumps({"data": rows(2), "labels": [1, 10]}, 2), {"match": "10"}),
        ("data_batch_2", pickle.dumps({"data": rows(2), "labels": [1, -1]}, 2), {"match": "-1"}),
        (
            "data_batch_2",
            pickle.dumps({"data": rows(2), "labels": ["a", "b"]}, 2),
            {"code": "invalid_data", "path": "cifar-10-batches-py: data_batch_2"},
        ),
        (
            "data_batch_2",
            pickle.dumps({"data": rows(2), "labels": [1, 2**70]}, 2),
            {"code": "invalid_data", "path": "cifar-10-batches-py: data_batch_2"},
        ),
        ("batches.meta", pickle.dumps({"label_names": NAMES[:9]}, 2), {"code": "mismatch", "got": 9}),
    ],
)
def test_what_is_wrong_is_said(root, name, content, expected):
    changed(root, name, content)
    with usage_error(**expected):
        made()


def test_damaged_archives_and_binaries(root):
    with usage_error("missing_file", kind=Missing, path="cifar-10-python.tar.gz"):
        made()
    lay(root, "python.tar.gz")
    path = root / "cifar-10" / "cifar-10-python.tar.gz"
    whole = path.read_bytes()
    for content in (whole[:-8], whole[: len(whole) // 2], whole[:20], b"no archive", b""):
        path.write_bytes(content)
        with usage_error("damaged", path="cifar-10-python.tar.gz"):
            made()
    path.unlink()
    unpacked(root / "cifar-10" / "cifar-10-batches-bin", binary10() | {"data_batch_3.bin": bytes(3000)})
    with usage_error("damaged", path="cifar-10-batches-bin: data_batch_3.bin"):
        made()
    with pytest.raises(UsageError, match=r"task.labels must be coarse or fine"):
        made("finer")


def test_links_in_an_archive_are_not_followed(root, tmp_path):
    lay(root, "python.tar.gz")
    path = root / "cifar-10" / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with usage_error("damaged", path="cifar-10-python.tar.gz"):
        made()
