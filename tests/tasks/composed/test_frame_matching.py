"""Films of which two frames count: what they show, and that nothing else tells the answer."""

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.spec import Classes, Real
from dlcli.tasks.composed.frame_matching import FrameMatching
from dlcli.tasks.composed.glyphs import load_glyphs

COMMON = {
    "source": "digits", "frames": 8, "noise": "uniform", "repeats": 4, "batch": 64, "data_seed": 0, "order": 0,
}  # fmt: skip
SPLITS = ("train", "valid", "test")


def films(**changed):
    return FrameMatching(**{**COMMON, **changed})


def whole(task, split, epoch=0):
    size = task.size(split)
    parts = [task.batch(split, epoch * size + index) for index in range(size)]
    order = torch.cat([part.index for part in parts]).argsort()
    return torch.cat([part.inputs[0] for part in parts])[order], torch.cat([part.target for part in parts])[order]


def labels(split, frames):
    found = load_glyphs("digits")[split]
    known = {
        tuple(image.flatten().tolist()): int(label) for image, label in zip(found.pixels, found.labels, strict=True)
    }
    return torch.tensor([known[tuple(frame.flatten().tolist())] for frame in frames])


@pytest.mark.parametrize("split", SPLITS)
def test_the_answer_is_whether_the_first_and_last_frame_are_of_one_class(split):
    task = films()
    assert (task.spec.inputs, task.spec.target) == ((Real((1, 8, 8, 8)),), Classes(2))
    x, y = whole(task, split)
    first, last = labels(split, x[:, 0, 0]), labels(split, x[:, 0, -1])
    assert torch.equal((first == last).long(), y)
    assert not (x[:, 0, 0] == x[:, 0, -1]).flatten(1).all(1).any()  # the same digit, not the same image
    assert torch.equal(first, labels(split, load_glyphs("digits")[split].pixels).repeat(4 if split != "train" else 1))


@pytest.mark.parametrize("split", SPLITS)
def test_same_and_different_are_balanced_in_every_epoch(split):
    for epoch in (0, 1) if split == "train" else (0,):
        _, y = whole(films(), split, epoch)
        assert abs(int(y.sum()) - len(y) / 2) <= 1
        assert (y[: len(y) // 2 * 2].view(-1, 2).sum(1) == 1).all()


def test_neither_frame_alone_nor_the_place_of_a_sample_tells_the_answer():
    task = films(frames=2)
    x, y = zip(*(whole(task, "train", epoch) for epoch in range(20)), strict=True)
    x, y = torch.cat(x), torch.cat(y).float()
    for place in (0, -1):
        shown = labels("train", x[:, 0, place])
        share = torch.stack([y[shown == digit].mean() for digit in range(10)])
        assert (share - 0.5).abs().max() < 0.06
    by_sample = y.view(20, -1).mean(0)
    assert by_sample.std() == pytest.approx(0.5 / 20**0.5, rel=0.1)  # as of a fair coin


@pytest.mark.parametrize(("noise", "mean", "deviation"), [("uniform", 0.5, 12**-0.5), ("normal", 0.0, 1.0)])
def test_between_them_is_noise(noise, mean, deviation):
    x, _ = whole(films(noise=noise, frames=5), "test")
    between = x[:, 0, 1:-1]
    assert between.shape[1:] == (3, 8, 8)
    assert between.mean().item() == pytest.approx(mean, abs=0.01)
    assert between.std().item() == pytest.approx(deviation, rel=0.01)
    assert len(between.flatten(1).unique(dim=0)) == len(between)


def test_two_frames_have_nothing_between():
    assert whole(films(frames=2), "valid")[0].shape == (1200, 1, 2, 8, 8)


def test_training_films_are_drawn_anew_by_epoch_and_not_by_batch():
    one, other = films(), films(batch=17)
    for epoch in (0, 2):
        for found, again in zip(whole(one, "train", epoch), whole(other, "train", epoch), strict=True):
            assert torch.equal(found, again)
    (x, y), (later, then) = whole(one, "train", 0), whole(one, "train", 1)
    assert (y != then).float().mean() == pytest.approx(0.5, abs=0.1)
    assert (x[:, :, -1] != later[:, :, -1]).flatten(1).any(1).float().mean() > 0.9
    assert torch.equal(x[:, :, 0], later[:, :, 0])
    assert torch.equal(whole(one, "test")[0], whole(films(order=4), "test")[0])


def test_samples_are_made_on_the_device_that_holds_the_digits():
    task = films().to(torch.device("meta"))
    for split in ("train", "test"):
        batch = task.batch(split, 0)
        assert batch.inputs[0].device.type == batch.target.device.type == "meta"


def test_what_is_wrong_is_said():
    with pytest.raises(UsageError) as error:
        films(frames=1)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "task.frames")
    with pytest.raises(UsageError) as error:
        films(repeats=0)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "task.repeats")
