"""A stranger's folder of pictures: what is read, what is refused, and that it is said which files are meant."""

import io
import logging

import numpy as np
import pytest
import torch
from helpers.errors import usage_error
from PIL import Image

from dlcli.config import identity
from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real
from dlcli.tasks.image.augment import Unchanged
from dlcli.tasks.image.image_folder import ImageFolder

SETTINGS = {"size": None, "mode": None, "skip_bad": False, "scaling": "none", "batch": 8, "order": 0, "data_seed": 0}


def made(path, **changes):
    settings = SETTINGS | {"path": str(path), "augment": Unchanged(), "fitted": None}
    return ImageFolder(**(settings | changes))


def picture(number, size=(6, 9), mode="RGB"):
    """Red grows along the columns, green along the rows, blue is a number."""
    x = np.zeros((*size, 3), np.uint8)
    x[..., 0] = np.arange(size[1])
    x[..., 1] = np.arange(size[0])[:, None]
    x[..., 2] = number
    return Image.fromarray(x).convert(mode)


def fill(folder, names=("cat", "dog"), count=10, start=0, **look):
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(start + 20 * place + number, **look).save(folder / name / f"{number:02}.png")
    return folder


def whole(task, split):
    batches = [task.batch(split, index) for index in range(task.size(split))]
    return torch.cat([batch.inputs[0] for batch in batches]), torch.cat([batch.target for batch in batches])


def test_channels_rows_columns_and_sorted_classes(tmp_path):
    task = made(fill(tmp_path, ("dog", "Cat", "ant")))
    assert task.spec.inputs == (Real((3, 6, 9)),)
    assert task.spec.target == Classes(3)
    assert task.fitted["classes"] == ["Cat", "ant", "dog"]
    x, y = whole(task, "all")
    assert y.tolist() == [0] * 10 + [1] * 10 + [2] * 10
    x = (x * 255).round()
    assert torch.equal(x[0, 0], torch.arange(9.0).expand(6, 9))
    assert torch.equal(x[0, 1], torch.arange(6.0)[:, None].expand(6, 9))
    assert x[:, 2, 0, 0].tolist() == [*range(20, 30), *range(40, 50), *range(10)]


def test_splits_that_are_missing_are_taken_from_train_by_class(tmp_path):
    task = made(fill(tmp_path, count=20))
    parts = {split: whole(task, split)[1] for split in ("train", "valid", "test")}
    assert {split: y.bincount().tolist() for split, y in parts.items()} == {
        "train": [14, 14],
        "valid": [3, 3],
        "test": [3, 3],
    }


def test_splits_that_are_given_are_kept(tmp_path):
    for start, split in enumerate(("train", "valid", "test")):
        fill(tmp_path / split, count=3, start=60 * start)
    task = made(tmp_path)
    blue = {split: (whole(task, split)[0][:, 2, 0, 0] * 255).round().tolist() for split in ("train", "valid", "test")}
    assert sorted(blue["train"]) == [0, 1, 2, 20, 21, 22]
    assert blue["valid"] == [60, 61, 62, 80, 81, 82]
    assert blue["test"] == [120, 121, 122, 140, 141, 142]


def test_hidden_files_and_files_beside_the_classes_are_left_out(tmp_path):
    before = whole(made(fill(tmp_path)), "all")[0]
    (tmp_path / ".git").mkdir()
    (tmp_path / "cat" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "labels.csv").write_text("x")
    assert torch.equal(whole(made(tmp_path), "all")[0], before)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_modes_are_channels(tmp_path, mode, channels):
    task = made(fill(tmp_path, mode=mode))
    assert task.spec.inputs == (Real((channels, 6, 9)),)
    assert made(tmp_path, mode="L").spec.inputs == (Real((1, 6, 9)),)


def test_sizes_are_height_and_width(tmp_path):
    fill(tmp_path)
    picture(1, (12, 18)).save(tmp_path / "cat" / "large.png")
    with usage_error("invalid_data", path="task.path") as error:
        made(tmp_path)
    assert "task.size=[6,9]" in error.value.fields["hint"]
    assert made(tmp_path, size=[6, 9]).spec.inputs == (Real((3, 6, 9)),)
    assert made(tmp_path, size=4).spec.inputs == (Real((3, 4, 4)),)
    for size in (0, [3], [3, 4, 5], [-1, 2]):
        with usage_error("invalid_value", key="task.size", got=size):
            made(tmp_path, size=size)


def test_modes_that_differ_or_have_no_channels(tmp_path):
    fill(tmp_path)
    picture(1, mode="L").save(tmp_path / "cat" / "grey.png")
    with usage_error("invalid_data", path="task.path"):
        made(tmp_path)
    assert made(tmp_path, mode="RGB").spec.inputs == (Real((3, 6, 9)),)
    with usage_error("unknown_name", name="RBG"):
        made(tmp_path, mode="RBG")
    with usage_error("unknown_name", name="P"):
        made(fill(tmp_path / "palette", mode="P"))
    (tmp_path / "palette" / "dog" / "deep.png").write_bytes(sixteen_bits())
    with usage_error("unsupported", feature="mode I;16: only 8 bits per channel"):
        made(tmp_path / "palette", mode="L")


def sixteen_bits():
    content = io.BytesIO()
    Image.fromarray(np.full((6, 9), 40000, np.uint16)).save(content, "PNG")
    return content.getvalue()


def spoil(folder, count):
    """Text, a cut picture, an empty file, and so on."""
    good = (folder / "cat" / "00.png").read_bytes()
    contents = [b"no picture", good[: len(good) // 2], b"", good[:20]]
    for number in range(count):
        (folder / "cat" / f"bad{number}.png").write_bytes(contents[number % len(contents)])


def test_bad_files_are_named_counted_and_refused_or_left_out(tmp_path, caplog):
    before = whole(made(fill(tmp_path)), "all")
    spoil(tmp_path, 1)
    with usage_error("invalid_data", path="bad0.png"):
        made(tmp_path)
    spoil(tmp_path, 9)
    with pytest.raises(UsageError) as error:
        made(tmp_path)
    assert (error.value.fields["count"], error.value.fields["total"]) == (9, 29)
    assert "task.skip_bad=true" in error.value.fields["hint"]
    with caplog.at_level(logging.WARNING, "dlcli"):
        after = whole(made(tmp_path, skip_bad=True), "all")
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert caplog.text.count("skipped") == 1
    assert caplog.text.count(".png: ") == 5
    assert "9 of 29 files" in caplog.text
    for path in tmp_path.rglob("[0-9]*.png"):
        path.write_bytes(b"")
    with usage_error("invalid_data", count=29, total=29):
        made(tmp_path, skip_bad=True)


def test_no_other_program_is_asked_to_read_a_file(tmp_path):
    fill(tmp_path)
    (tmp_path / "cat" / "bad.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 6\n")
    with usage_error("invalid_data", path="bad.png"):
        made(tmp_path)


def test_folders_that_are_laid_out_otherwise(tmp_path):
    with usage_error("required", key="task.path"):
        made("")
    with usage_error("not_found"):
        made(tmp_path / "absent")
    with usage_error("invalid_data", path="test_folders_that_are_laid_out0"):
        made(tmp_path)
    with usage_error("mismatch", subject="task=image_folder", got="cat"):
        made(fill(tmp_path / "one", ("cat",)))
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    with usage_error("invalid_data", path="empty"):
        made(tmp_path / "empty")
    fill(tmp_path / "deep" / "training")
    with usage_error("invalid_data", path="training"):
        made(tmp_path / "deep")
    for split in ("train", "val"):
        fill(tmp_path / "named" / split)
    with usage_error("unknown_name", name="val"):
        made(tmp_path / "named")
    fill(tmp_path / "strange" / "train")
    fill(tmp_path / "strange" / "test", ("cat", "cow"))
    with usage_error("unknown_name", name="cow"):
        made(tmp_path / "strange")


def test_a_run_reads_other_folders_as_its_own(tmp_path):
    run = made(fill(tmp_path / "old", ("ant", "cat", "dog"), count=20), scaling="standard")
    assert run.fitted["size"] == [6, 9]
    assert run.fitted["mode"] == "RGB"
    for folder in (
        fill(tmp_path / "new", ("dog",), count=4),
        fill(tmp_path / "test" / "test", ("dog",), count=4).parent,
    ):
        task = made(folder, scaling="standard", fitted=run.fitted)
        assert task.spec == run.spec
        assert task.fitted == run.fitted
        x, y = whole(task, "all")
        assert y.tolist() == [2] * 4
        mean, std = (torch.tensor(run.fitted[name])[:, None, None] for name in ("mean", "std"))
        torch.testing.assert_close((x * std + mean)[0, 0] * 255, torch.arange(9.0).expand(6, 9), atol=1e-3, rtol=0)
    with usage_error("invalid_data", path="task.path"):
        made(tmp_path / "test")
    other = fill(tmp_path / "large", size=(12, 18))
    with usage_error("mismatch", subject="the run", got="12x18"):
        made(other, fitted=run.fitted)
    assert made(other, fitted=run.fitted, size=[6, 9]).spec == run.spec
    with usage_error("mismatch", subject="the run", got="L"):
        made(fill(tmp_path / "grey", mode="L"), fitted=run.fitted)
    with usage_error("unknown_name", name="cow"):
        made(fill(tmp_path / "cow", ("cow", "dog")), fitted=run.fitted)


def test_a_class_that_is_left_out_is_said(tmp_path):
    for name, count in (("cat", 14), ("cow", 1), ("dog", 10)):
        fill(tmp_path, (name,), count=count)
    with usage_error("invalid_data", path="task.path"):
        made(tmp_path)


def test_a_folder_counts_by_its_content(tmp_path):
    node = {"model": {}, "learner": {}, "precision": "float32"}
    one, copy = (fill(tmp_path / name) for name in ("one", "copy"))
    first, second = (identity.core({**node, "task": {"path": str(path)}}) for path in (one, copy))
    assert first == second
    picture(99).save(copy / "cat" / "00.png")
    assert identity.core({**node, "task": {"path": str(copy)}}) != first


@pytest.mark.parametrize("split", ["", "train"])
def test_a_class_without_pictures_to_learn_from_is_refused(tmp_path, split):
    fill(tmp_path / split)
    (tmp_path / split / "horse").mkdir()
    with usage_error("invalid_data"):
        made(tmp_path)
