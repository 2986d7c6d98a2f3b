"""Scenes of digits: what is said to be there is there, and where."""

from dataclasses import replace

import pytest
import torch
from helpers.errors import usage_error
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import predict, score
from dlcli.core.spec import Labels, Real
from dlcli.core.task import CompositeImages, first_rows
from dlcli.tasks.composed.digit_scenes import DigitScenes
from dlcli.tasks.composed.glyphs import load_glyphs
from dlcli.tasks.composed.multi_digits import MultiDigits
from dlcli.tasks.composed.paired_digits import PairedDigits

COMMON = {"source": "digits", "repeats": 2, "batch": 64, "data_seed": 0, "order": 0}
GLYPHS = load_glyphs("digits")


def multi(**changed):
    return MultiDigits(**{**COMMON, "shift": 1, **changed})


def paired(**changed):
    return PairedDigits(**{**COMMON, **changed})


def scenes(**changed):
    return DigitScenes(**{**COMMON, "canvas": 40, "most": 4, **changed})


KINDS = [multi, paired, scenes]
SPLITS = ("train", "valid", "test")


def batches(task, split):
    return [task.batch(split, index) for index in range(task.size(split))]


def known(split):
    """The class of every glyph of a split, by its pixels."""
    found = GLYPHS[split]
    return {
        tuple(image.flatten().tolist()): int(label) for image, label in zip(found.pixels, found.labels, strict=True)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", SPLITS)
def test_the_image_is_the_larger_pixel_of_its_sources_and_the_target_their_classes(kind, split):
    task = kind()
    assert isinstance(task, CompositeImages)
    for batch in batches(task, split)[:3]:
        images, classes = task.sources(batch)
        assert torch.equal(images.amax(1), batch.inputs[0])
        for row, target in zip(classes.tolist(), batch.target, strict=True):
            assert set(target.nonzero().flatten().tolist()) == {label for label in row if label >= 0}
        assert not images[classes < 0].any()
        assert batch.target.sum(1).min() >= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", SPLITS)
def test_the_truth_is_where_the_pixels_are_and_glyphs_are_of_the_split_alone(kind, split):
    task, names = kind(), known(split)
    for batch in batches(task, split)[:2]:
        images, classes = task.sources(batch)
        truth = task.scenes(batch)
        assert torch.equal(truth.classes, classes)
        for row in range(len(batch)):
            for image, label, (top, left) in zip(images[row], classes[row], truth.places[row].tolist(), strict=True):
                if label < 0:
                    assert (top, left) == (-100, -100)
                    continue
                cut = image[0, top : top + 8, left : left + 8]
                assert names[tuple(cut.flatten().tolist())] == label
                assert cut.sum() == image.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_each_glyph_is_the_first_of_one_training_image_an_epoch_and_of_some_scored_ones(kind):
    task = kind()
    for split, repeats in (("train", 1), ("valid", 1 if kind is paired else 2), ("test", 2)):
        firsts = torch.cat([task.sources(batch)[1][:, 0] for batch in batches(task, split)])
        assert torch.equal(firsts.bincount(), repeats * GLYPHS[split].count)


@pytest.mark.parametrize("kind", [multi, scenes])
def test_training_images_are_a_function_of_epoch_and_sample_and_not_of_the_batch(kind):
    one, other = kind(), kind(batch=17)
    for epoch in (0, 3):
        found = []
        for task in (one, other):
            size = task.size("train")
            parts = [task.batch("train", epoch * size + index) for index in range(size)]
            x, index = torch.cat([part.inputs[0] for part in parts]), torch.cat([part.index for part in parts])
            found.append(x[index.argsort()])
        assert torch.equal(*found)
    later = one.batch("train", one.size("train"))
    rows = later.index
    drawn = one._split("train")
    before, after = drawn.vary(rows, 0, 0)[0][0], later.inputs[0]
    assert (before != after).flatten(1).any(1).float().mean() > 0.8
    with_other_order = kind(order=1)._split("train").vary(rows, 1, 0)[0][0]
    assert not torch.equal(before, with_other_order)


@pytest.mark.parametrize("kind", KINDS)
def test_scored_images_depend_on_the_data_seed_alone(kind):
    one, same, other = kind(), kind(order=5, batch=256), kind(data_seed=1)
    whole = [torch.cat([batch.inputs[0] for batch in batches(task, "test")]) for task in (one, same, other)]
    assert torch.equal(whole[0], whole[1])
    assert not torch.equal(whole[0], whole[2])


def test_a_batch_cut_short_keeps_its_sources():
    task = scenes()
    batch = task.batch("valid", 1)
    images, classes = task.sources(batch)
    some = first_rows(batch, 5)
    assert torch.equal(task.sources(some)[0], images[:5])
    changed = replace(batch, inputs=(batch.inputs[0] * 2,))
    assert torch.equal(task.sources(changed)[1], classes)


@pytest.mark.parametrize("kind", KINDS)
def test_images_are_made_on_the_device_that_holds_the_digits(kind):
    task = kind().to(torch.device("meta"))
    for split in ("train", "test"):
        batch = task.batch(split, 0)
        images, classes = task.sources(batch)
        assert {images.device.type, classes.device.type, batch.inputs[0].device.type} == {"meta"}
        assert task.scenes(batch).places.device.type == "meta"


@pytest.mark.parametrize(("shift", "overlap"), [(1, 0.79), (2, 0.64)])
def test_two_digits_of_different_classes_share_most_of_their_frames(shift, overlap):
    task = multi(shift=shift, repeats=8)
    side = 8 + 2 * shift
    assert task.spec.inputs == (Real((1, side, side)),)
    assert task.spec.target == Labels(10)
    truth = [task.scenes(batch) for batch in batches(task, "test")]
    classes, places = torch.cat([one.classes for one in truth]), torch.cat([one.places for one in truth])
    assert (classes[:, 0] != classes[:, 1]).all()
    assert places.flatten().unique().tolist() == list(range(2 * shift + 1))
    common = (8 - (places[:, 0] - places[:, 1]).abs()).prod(1) / 64
    assert common.mean() == pytest.approx(overlap, abs=0.01)


def test_multimnists_frames_share_four_fifths():
    moves = torch.arange(9.0)
    side = (28 - (moves[:, None] - moves).abs()).mean() / 28
    assert (side**2).item() == pytest.approx(0.8, abs=0.005)


def test_pairs_are_two_different_digits_one_below_the_other():
    task = paired()
    assert task.spec.inputs == (Real((1, None, 8)),)
    for split in ("train", "valid"):
        batch = task.batch(split, 0)
        assert batch.inputs[0].shape[1:] == (1, 8, 8)
        assert (batch.target.sum(1) == 1).all()
    batch = task.batch("test", 0)
    images, classes = task.sources(batch)
    assert batch.inputs[0].shape[1:] == (1, 16, 8)
    assert (batch.target.sum(1) == 2).all()
    assert (classes[:, 0] != classes[:, 1]).all()
    assert not images[:, 0, :, 8:].any()
    assert not images[:, 1, :, :8].any()
    assert torch.equal(batch.inputs[0][:, :, :8], GLYPHS["test"].images(batch.index % 300))


def test_digits_of_a_scene_never_overlap_and_every_number_of_them_is_equally_likely():
    task = scenes(repeats=8)
    truth = [task.scenes(batch) for batch in batches(task, "test")]
    classes, places = torch.cat([one.classes for one in truth]), torch.cat([one.places for one in truth])
    many = (classes >= 0).sum(1)
    assert (many.bincount()[1:] - 600).abs().max() < 100
    assert ((classes >= 0) == (torch.arange(4) < many[:, None])).all()
    for one in range(4):
        for other in range(one):
            both = classes[:, one] >= 0
            apart = (places[both, one] - places[both, other]).abs().amax(1)
            assert apart.min() >= 8
    there = places[classes >= 0]
    assert there.min() == 0
    assert there.max() == 32


def test_scenes_fill_the_smallest_canvas_that_is_allowed():
    task = scenes(canvas=23, most=2, repeats=1)
    for batch in batches(task, "train"):
        images, classes = task.sources(batch)
        assert torch.equal(images.sum(1), batch.inputs[0])
        assert ((classes >= 0).sum(1) <= 2).all()
    with usage_error("invalid_value", key="task.canvas", got=22):
        scenes(canvas=22, most=2)


class Height(nn.Module):
    """Scores a class by how many rows the image has, and the first classes most."""

    def forward(self, x):
        return (x.shape[2] - 12.0) - torch.arange(10.0).expand(len(x), 10)


def test_scores_and_predictions_take_the_other_height_of_test():
    task = paired()
    valid, test = score(Height(), task, "valid"), score(Height(), task, "test")
    zeros = (GLYPHS["valid"].labels == 0).float().mean().item()
    assert valid["accuracy"] == pytest.approx(zeros)
    assert valid["confident"] == 0  # all scores are below one half
    both = torch.cat([batch.target for batch in batches(task, "test")])
    assert test["accuracy"] == pytest.approx((both[:, :2].sum(1) == 2).float().mean().item())
    rows = predict(Height(), task, batches(task, "test"))
    assert rows["sample"] == list(range(600))
    assert set(rows["prediction"]) == {"0 1 2 3"}
    assert len(rows["target"][0].split()) == 2


def test_what_is_wrong_is_said():
    with pytest.raises(UsageError) as error:
        multi(repeats=0)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "task.repeats")
    with pytest.raises(UsageError) as error:
        multi(shift=-1)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "task.shift")
    with pytest.raises(UsageError) as error:
        scenes(most=0)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "task.most")
