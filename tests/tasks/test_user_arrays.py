"""A stranger's arrays: every layout is read as documented, every mistake is said."""

import logging

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import predict, score
from dlcli.core.spec import Classes, Real
from dlcli.tasks.user_arrays import Npz

RANDOM = np.random.default_rng(0)


def made(tmp_path, arrays, *, fitted=None, scaling="standard", data_seed=0, batch=8):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    return Npz(path=str(path), batch=batch, order=0, data_seed=data_seed, scaling=scaling, fitted=fitted)


def data(rows=100, shape=(2, 12), y=None):
    x = RANDOM.normal(3, 5, (rows, *shape)).astype(np.float32)
    return {"x_train": x, "y_train": np.arange(rows) % 3 if y is None else y}


def whole(task, split):
    batches = [task.batch(split, index) for index in range(task.size(split))]
    return torch.cat([batch.inputs[0] for batch in batches]), torch.cat([batch.target for batch in batches])


@pytest.mark.parametrize(
    ("shape", "integers", "part"),
    [
        ((12,), False, Real((1, 12))),
        ((2, 12), False, Real((2, 12))),
        ((12,), True, Classes(7, (12,))),
        ((3, 4, 5), False, Real((3, 4, 5))),
        ((3, 4, 5), True, Real((3, 4, 5))),
    ],
)
def test_inputs_are_described_by_their_shape(tmp_path, shape, integers, part):
    x = np.arange(20 * np.prod(shape)).reshape(20, *shape) % 7
    task = made(tmp_path, {"x": x if integers else x.astype(float), "y": np.arange(20) % 2})
    assert task.spec.inputs == (part,)
    inputs = task.batch("train", 0).inputs[0]
    assert inputs.shape[1:] == part.shape
    assert inputs.dtype == (torch.int64 if isinstance(part, Classes) else torch.float32)


@pytest.mark.parametrize(
    ("y", "part", "metric"),
    [
        (np.arange(20) % 4, Classes(4), "accuracy"),
        ((np.arange(20) % 4)[:, None], Classes(4), "accuracy"),
        (np.arange(20) % 2 == 0, Classes(2), "accuracy"),
        (np.arange(240).reshape(20, 12) % 5, Classes(5, (12,)), "accuracy"),
        (np.arange(20.0), Real((1,)), "mse"),
        (np.arange(60.0).reshape(20, 3), Real((3,)), "mse"),
        (np.arange(480.0).reshape(20, 2, 12), Real((2, 12)), "mse"),
    ],
)
def test_targets_are_described_by_their_shape(tmp_path, y, part, metric):
    task = made(tmp_path, data(20, y=y))
    assert task.spec.target == part
    assert task.main.metric == metric
    assert task.batch("valid", 0).target.shape[1:] == (part.positions if isinstance(part, Classes) else part.shape)


def test_missing_splits_are_taken_from_train_stratified_seeded_and_said(tmp_path, caplog):
    arrays = data(200, (1,), np.repeat([0, 1], [160, 40]))
    arrays["x_train"] = np.arange(200.0)[:, None]
    with caplog.at_level(logging.INFO, "dlcli"):
        task = made(tmp_path, arrays, scaling="none")
    assert "no valid and test" in caplog.text
    parts = {split: whole(task, split) for split in ("train", "valid", "test")}
    rows = torch.cat([x.flatten() for x, _ in parts.values()])
    assert sorted(rows.tolist()) == list(range(200))
    assert [int((y == 1).sum()) for _, y in parts.values()] == [28, 6, 6]
    again = made(tmp_path, arrays, scaling="none")
    assert torch.equal(whole(again, "test")[0], parts["test"][0])
    other = made(tmp_path, arrays, scaling="none", data_seed=1)
    assert not torch.equal(whole(other, "test")[0], parts["test"][0])


def test_given_splits_are_kept_and_all_is_the_file(tmp_path):
    x = np.arange(60.0).reshape(60, 1)
    arrays = {f"x_{name}": x[part] for name, part in PARTS.items()}
    arrays |= {f"y_{name}": np.arange(60)[part] % 2 for name, part in PARTS.items()}
    task = made(tmp_path, arrays, scaling="none")
    for name, part in PARTS.items():
        assert sorted(whole(task, name)[0].flatten().tolist()) == x[part].flatten().tolist()
    assert whole(task, "all")[0].flatten().tolist() == x.flatten().tolist()


PARTS = {"train": slice(0, 40), "valid": slice(40, 50), "test": slice(50, 60)}


def test_statistics_are_those_of_train_alone(tmp_path):
    arrays = data(50) | {"x_test": np.full((5, 2, 12), 1e6, np.float32), "y_test": np.zeros(5, int)}
    arrays |= {"x_valid": arrays["x_test"], "y_valid": arrays["y_test"]}
    task = made(tmp_path, arrays)
    x, _ = whole(task, "train")
    assert torch.allclose(x.mean((0, 2)), torch.zeros(2), atol=1e-5)
    assert torch.allclose(x.std((0, 2), correction=0), torch.ones(2), atol=1e-4)
    assert whole(task, "test")[0].min() > 1e4


def test_fitted_is_used_again_on_a_new_file(tmp_path):
    first = made(tmp_path, data(60) | {"class_names": np.array(["sit", "stand", "walk"])})
    new = data(4, y=np.array([2, 2, 2, 2]))
    for names in (("x", "y"), ("x_test", "y_test")):
        task = made(tmp_path, dict(zip(names, new.values(), strict=True)), fitted=first.fitted)
        assert task.spec == first.spec
        x, _ = whole(task, "all")
        mean, std = (np.array(first.fitted[name])[:, None] for name in ("mean", "std"))
        assert np.allclose(x.numpy(), (new["x_train"] - mean) / std, atol=1e-5)
        table = predict(Fixed(3), task, [task.batch("all", 0)])
        assert table["target"] == ["walk"] * 4
        assert table["prediction"] == ["sit"] * 4


class Fixed(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.units = units

    def forward(self, x):
        return torch.zeros(len(x), self.units)


def test_regression_is_scored_in_the_units_of_the_data(tmp_path):
    y = RANDOM.normal(1000, 50, 100)
    task = made(tmp_path, data(100, y=y))
    train = whole(task, "train")[1]
    assert abs(train.mean()) < 1e-5
    assert abs(train.std(correction=0) - 1) < 1e-5
    scores = score(Fixed(1), task, "all")
    centre = task.fitted["target_mean"][0]
    assert scores["mse"] == pytest.approx(np.square(y - centre).mean(), rel=1e-3)
    assert predict(Fixed(1), task, [task.batch("all", 0)])["target"] == pytest.approx(list(y[:32]), rel=1e-5)


def test_steps_marked_ignored_do_not_count(tmp_path):
    y = np.arange(240).reshape(20, 12) % 3
    y[:, 6:] = -100
    task = made(tmp_path, data(20, y=y))
    weight = task.metrics(PerStep(), task.batch("all", 0)).values["accuracy"].weight
    assert weight.tolist() == [6.0] * 20


class PerStep(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x), 3, x.shape[-1])


def spoiled(name, **change):
    return data(20) | change, name


BAD = np.ones((20, 2, 12), np.float32)
BAD[3, 1, 5] = np.nan
BAD[4, 0, 0] = np.inf

ERRORS = {
    "lengths": spoiled("x_train has 20 rows, y_train 19", y_train=np.arange(19) % 2),
    "not finite": spoiled(r"x_train holds 2 values .* first at index \(3, 1, 5\)", x_train=BAD),
    "axes": spoiled("x_train has 5 axes", x_train=np.ones((20, 1, 1, 1, 1))),
    "scalar": spoiled("y_train has 0 axes", y_train=np.array(1)),
    "empty": spoiled("x_train is empty", x_train=np.ones((0, 2, 12))),
    "one class": spoiled("only one class", y_train=np.ones(20, int)),
    "negative": spoiled("y_train holds negative integers, the smallest is -1", y_train=np.arange(20) - 1),
    "tokens": spoiled("x_train holds negative integers", x_train=np.arange(40).reshape(20, 2) - 5),
    "no partner": spoiled("has x_test but not y_test", x_test=np.ones((5, 2, 12))),
    "shapes": spoiled(
        r"x_train and x_test differ .* \(2, 12\) and \(2, 11\)",
        x_test=np.ones((5, 2, 11)),
        y_test=np.ones(5, int),
    ),
    "kinds": spoiled("y_train is int64, y_test is float64", x_test=np.ones((5, 2, 12)), y_test=np.ones(5)),
    "text": spoiled("y_train has dtype <U1", y_train=np.array(["a", "b"] * 10)),
    "pickled": spoiled("Python objects", y_train=np.array([{}] * 20)),
    "steps": spoiled("12 steps", y_train=np.ones((20, 7), int)),
    "real steps": spoiled("7 steps", y_train=np.ones((20, 1, 7))),
    "codes": spoiled("more classes than labels", y_train=np.arange(20) + 20250101),
    "names": spoiled("class_names has shape", class_names=np.array(["a"])),
    "few": ({"x": np.ones((2, 3)), "y": np.arange(2)}, "too few"),
    "other arrays": ({"data": np.ones(3)}, "has arrays data.\nWanted: x_train"),
    "no train": ({"x_test": np.ones((5, 3)), "y_test": np.ones(5)}, "x_train and y_train are missing"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_mistake_is_said_in_three_lines_or_fewer(tmp_path, name):
    arrays, message = ERRORS[name]
    with pytest.raises(UsageError, match=message) as caught:
        made(tmp_path, arrays)
    assert len(str(caught.value).splitlines()) <= 3


def test_a_file_that_is_none_is_said(tmp_path):
    def read(path):
        return Npz(path=path, batch=8, order=0, data_seed=0, scaling="standard", fitted=None)

    with pytest.raises(UsageError, match=r"task\.path=FILE\.npz"):
        read(None)
    with pytest.raises(UsageError, match="there is no file"):
        read(str(tmp_path / "absent.npz"))
    made(tmp_path, data())
    full = (tmp_path / "data.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(full[: len(full) // 2])
    (tmp_path / "text.npz").write_text("x,y\n1,2\n")
    for name in ("cut.npz", "text.npz"):
        with pytest.raises(UsageError, match=r"not an \.npz file, or is cut short"):
            read(str(tmp_path / name))
    (tmp_path / "hole.npz").write_bytes(full[:300] + bytes(64) + full[364:])
    with pytest.raises(UsageError, match="damaged"):
        read(str(tmp_path / "hole.npz"))


def test_options_are_checked(tmp_path):
    with pytest.raises(UsageError, match=r"task\.scaling is standard or none, not 'minmax'"):
        made(tmp_path, data(), scaling="minmax")
    with pytest.raises(UsageError, match=r"task\.batch is at least 1, not 0"):
        made(tmp_path, data(), batch=0)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (data(5, (3, 12)), "x has 3 channels of numbers, the run was trained on 2 channels"),
        ({"x": np.ones((5, 12), int), "y": np.arange(5) % 2}, "x holds integers, which are tokens"),
        (data(5, y=np.array([0, 1, 2, 3, 9])), "y has classes up to 9, the run was trained on 0 to 2"),
        (data(5, y=np.ones(5)), "y has 1 values a sample, the run was trained on 3 classes"),
    ],
)
def test_a_new_file_of_another_kind_is_refused(tmp_path, new, message):
    first = made(tmp_path, data(60))
    with pytest.raises(UsageError, match=message):
        made(tmp_path, new, fitted=first.fitted)


def test_a_class_that_train_lacks_is_refused_unless_the_file_names_it(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 2, 12)), np.arange(9) % 3
    arrays = {"x_train": x, "y_train": y, "x_test": x, "y_test": np.arange(9)}
    with pytest.raises(UsageError, match="y_test has the class 3, which y_train has not"):
        made(tmp_path, arrays)
    assert made(tmp_path, {**arrays, "class_names": np.array(list("abcdefghi"))}).spec.target.width == 9
