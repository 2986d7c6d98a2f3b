"""MNIST and Fashion-MNIST: images as they are stored, normalised by train, one split for everybody."""

import gzip
import runpy
import struct
import sys
from pathlib import Path

import pytest
import torch
from helpers.errors import usage_error

from dlcli.core.errors import Missing, UsageError
from dlcli.core.spec import Classes, Real
from dlcli.data.idx import read_idx
from dlcli.tasks.image.augment import Shift, Unchanged
from dlcli.tasks.image.idx_images import IdxImages
from dlcli.tasks.sequence.sequential_mnist import SequentialMNIST


def idx(values):
    header = struct.pack(f">4B{values.dim()}I", 0, 0, 8, values.dim(), *values.shape)
    return header + values.to(torch.uint8).numpy().tobytes()


@pytest.fixture(params=["mnist", "fashion-mnist"])
def folder(request, tmp_path, monkeypatch):
    """120 + 20 images of 4 x 6; pixel (1, 2) is the number of the image."""
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    root = tmp_path / request.param
    root.mkdir()
    for part, count in (("train", 120), ("t10k", 20)):
        images = (torch.arange(24) * 10).repeat(count, 1).view(count, 4, 6)
        images[:, 1, 2] = torch.arange(count)
        for name, values in ((f"{part}-images-idx3", images), (f"{part}-labels-idx1", torch.arange(count) % 10)):
            (root / f"{name}-ubyte.gz").write_bytes(gzip.compress(idx(values)))
    return root


def made(folder, scaling="none", augment=None, fitted=None):
    return idx_task(folder.name, scaling=scaling, augment=augment or Unchanged(), batch=16, fitted=fitted)


def idx_task(dataset, **options):
    return IdxImages(dataset=dataset, names=[str(label) for label in range(10)], order=0, **options)


def whole(task, split):
    batches = [task.batch(split, index) for index in range(task.size(split))]
    return torch.cat([batch.inputs[0] for batch in batches]), torch.cat([batch.target for batch in batches])


def test_rows_are_rows_and_values_go_up_to_one(folder):
    task = made(folder)
    x, y = whole(task, "test")
    assert task.spec.inputs == (Real((1, 4, 6)),)
    assert task.spec.target == Classes(10)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x[7, 0, 0], torch.arange(6) * 10 / 255)
    assert x[7, 0, 1, 2] == pytest.approx(7 / 255)
    assert y.tolist() == [number % 10 for number in range(20)]


def test_one_validation_split_for_everybody(folder):
    rows = {split: (whole(made(folder), split)[0][:, 0, 1, 2] * 255).round().int() for split in ("train", "valid")}
    assert sorted(torch.cat(list(rows.values())).tolist()) == list(range(120))
    assert sorted((rows["valid"] % 10).tolist()) == list(range(10))
    if folder.name == "mnist":
        steps = SequentialMNIST(permutation=None, batch=16, order=0)
        assert torch.equal(steps.batch("valid", 0).inputs[0][:, 0], made(folder).batch("valid", 0).inputs[0].flatten(1))


def test_train_has_mean_zero_and_deviation_one_and_a_run_keeps_its_own(folder):
    task = made(folder, "standard")
    x, _ = whole(task, "train")
    assert x.mean() == pytest.approx(0, abs=1e-5)
    assert x.std(correction=0) == pytest.approx(1, abs=1e-4)
    raw = whole(made(folder), "test")[0]
    torch.testing.assert_close(whole(task, "test")[0], (raw - task.fitted["mean"][0]) / task.fitted["std"][0])
    other = made(folder, "standard", fitted={"mean": [0.5], "std": [2.0]})
    torch.testing.assert_close(whole(other, "test")[0], (raw - 0.5) / 2)
    with usage_error("mismatch", subject="the run", got=1):
        made(folder, fitted={"mean": [0.0] * 3, "std": [1.0] * 3})
    with pytest.raises(UsageError, match=r"task.scaling must be standard or none"):
        made(folder, "standart")


def test_what_comes_in_at_the_edge_is_black(folder):
    task = made(folder, "standard", Shift(pixels=3))
    black = -task.fitted["mean"][0] / task.fitted["std"][0]
    assert whole(task, "train")[0].min() == pytest.approx(black)
    corners = whole(task, "train")[0][:, 0, 0, 0]
    assert (corners - black).abs().lt(1e-6).sum() > 60


def test_files_may_be_unpacked_and_then_keep_either_name(folder):
    before = whole(made(folder), "train")[0]
    for path in list(folder.iterdir()):
        content = gzip.decompress(path.read_bytes())
        kept = path if "labels" in path.name else path.with_suffix("")
        path.unlink()
        kept.write_bytes(content)
    assert torch.equal(whole(made(folder), "train")[0], before)


def test_missing_and_wrong_files(folder):
    labels = folder / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(gzip.compress(idx(torch.arange(120) % 11)))
    with pytest.raises(UsageError, match=r"train-labels-idx1-ubyte.gz has the label 10; classes are 0 to 9"):
        made(folder)
    labels.unlink()
    with usage_error("missing_file", kind=Missing, path="train-labels-idx1-ubyte.gz"):
        made(folder)


def test_no_more_is_unpacked_than_the_header_says(tmp_path):
    bomb = tmp_path / "bomb-ubyte.gz"
    bomb.write_bytes(gzip.compress(idx(torch.arange(5)) + bytes(50_000_000)))
    with usage_error("damaged", path="bomb-ubyte.gz"):
        read_idx(bomb, 1)
    bomb.write_bytes(gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3)))
    with usage_error("invalid_data", path="bomb-ubyte.gz"):
        read_idx(bomb, 3)


def test_the_official_files(real_data):
    for part in ("train", "t10k"):
        real_data("mnist", f"{part}-images-idx3-ubyte.gz")
    task = idx_task("mnist", scaling="standard", augment=Unchanged(), batch=64, fitted=None)
    assert task.spec.inputs == (Real((1, 28, 28)),)
    assert task.fitted["mean"] == pytest.approx([0.1307], abs=2e-4)
    assert task.fitted["std"] == pytest.approx([0.3081], abs=2e-4)
    assert task.batch("test", 0).target[:5].tolist() == [7, 2, 1, 0, 4]


def test_images_of_one_class_are_refused(folder):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(torch.full((120,), 3))))
    with pytest.raises(UsageError, match="all 120 training images have the label 3"):
        made(folder)


def test_its_benchmark_says_in_one_line_that_files_are_missing(tmp_path, monkeypatch, capsys):
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "batches.py"
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(script), "--threads", str(torch.get_num_threads())])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "dlcli data fetch mnist" in told
