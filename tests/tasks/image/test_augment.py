"""Augmentation against per-image loops, and what is drawn against what it must not depend on."""

import math

import pytest
import torch
from helpers.errors import usage_error

from dlcli.tasks.image.augment import Affine, Flip, InTurn, Shift, Unchanged, rotate_images, shift_images
from dlcli.tasks.image.digits import Digits

PLACE = torch.Generator().manual_seed(0)
IMAGES = torch.randint(1, 256, (50, 3, 7, 9), dtype=torch.uint8, generator=PLACE)
INDEX = torch.arange(50) * 7 + 3
ALL = [Shift(pixels=3), Flip(chance=0.5), Affine(rotation=20.0, scale=0.2)]
ALL += [InTurn(parts={"shift": Shift(pixels=1), "flip": Flip(chance=0.5)}), Unchanged()]


def by_hand(image, down, right):
    """One image moved, pixel by pixel; black comes in."""
    _, height, width = image.shape
    made = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                made[:, row, column] = image[:, row - down, column - right]
    return made


def test_moving_is_that_of_every_image_alone():
    down = torch.randint(-3, 4, (50,), generator=PLACE)
    right = torch.randint(-3, 4, (50,), generator=PLACE)
    made = shift_images(IMAGES, down, right, 3)
    assert made.dtype == torch.uint8
    for image, one, y, x in zip(IMAGES, made, down.tolist(), right.tolist(), strict=True):
        assert torch.equal(one, by_hand(image, y, x))


def test_a_shift_is_one_of_all_places_each_as_likely():
    images = torch.zeros(5000, 1, 5, 5, dtype=torch.uint8)
    images[:, 0, 2, 2] = 1
    made = Shift(pixels=1)(images, torch.arange(5000), 0, 0)
    counts = made.sum(0)[0]
    assert counts.sum() == 5000
    assert (counts[1:4, 1:4] > 5000 / 9 - 90).all()
    assert not counts[0].any()
    assert not counts[:, 4].any()


def test_a_flip_swaps_left_and_right_of_its_part():
    made = Flip(chance=0.3)(IMAGES.repeat(40, 1, 1, 1), torch.arange(2000), 1)
    swapped = (made == IMAGES.flip(3).repeat(40, 1, 1, 1)).flatten(1).all(1)
    kept = (made == IMAGES.repeat(40, 1, 1, 1)).flatten(1).all(1)
    assert (swapped ^ kept).all()
    assert abs(swapped.float().mean() - 0.3) < 0.04
    assert torch.equal(Flip(chance=0.0)(IMAGES, INDEX, 1), IMAGES)
    assert torch.equal(Flip(chance=1.0)(IMAGES, INDEX, 1), IMAGES.flip(3))


@pytest.mark.parametrize("size", [(8, 8), (7, 7)])
def test_a_quarter_turn_is_anticlockwise(size):
    images = torch.rand(2, 3, *size)
    made = rotate_images(images, torch.tensor([math.pi / 2, math.pi]), torch.ones(2))
    torch.testing.assert_close(made[0], images[0].rot90(1, (1, 2)), atol=1e-5, rtol=0)
    torch.testing.assert_close(made[1], images[1].rot90(2, (1, 2)), atol=1e-5, rtol=0)


def test_an_oblong_image_is_turned_and_not_sheared():
    image = torch.zeros(1, 1, 9, 21)
    image[0, 0, 4, 7:14] = 1
    made = rotate_images(image, torch.tensor([math.pi / 2]), torch.ones(1))[0, 0]
    wanted = torch.zeros(9, 21)
    wanted[1:8, 10] = 1
    torch.testing.assert_close(made, wanted, atol=1e-5, rtol=0)


def test_no_turn_and_no_scale_change_nothing_and_a_factor_enlarges():
    torch.testing.assert_close(
        rotate_images(IMAGES, torch.zeros(50), torch.ones(50)), IMAGES.float(), atol=1e-3, rtol=0
    )
    assert torch.equal(Affine(rotation=0.0, scale=0.0)(IMAGES, INDEX, 1).round(), IMAGES.float())
    square = torch.zeros(1, 1, 12, 12)
    square[..., 4:8, 4:8] = 1
    assert rotate_images(square, torch.zeros(1), torch.tensor([1.5])).sum() == pytest.approx(36, abs=0.01)


@pytest.mark.parametrize("augment", ALL)
def test_what_is_drawn_is_a_function_of_the_words_and_the_sample_alone(augment):
    whole = augment(IMAGES, INDEX, 5, 2)
    assert whole.shape == IMAGES.shape
    order = torch.randperm(50, generator=PLACE)[:20]
    assert torch.equal(augment(IMAGES[order], INDEX[order], 5, 2), whole[order])
    assert torch.equal(augment(IMAGES, INDEX, 5, 2), whole)
    if not isinstance(augment, Unchanged):
        assert not torch.equal(augment(IMAGES, INDEX, 5, 3), whole)
        assert not torch.equal(augment(IMAGES, INDEX, 6, 2), whole)
        assert not torch.equal(augment(IMAGES, INDEX + 1, 5, 2), whole)


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    for augment in ALL:
        augment(IMAGES, INDEX, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_parts_draw_for_themselves():
    twice = InTurn(parts={"one": Flip(chance=0.5), "two": Flip(chance=0.5)})(IMAGES, INDEX, 4)
    assert not torch.equal(twice, IMAGES)  # the same draw twice would undo itself
    assert torch.equal(InTurn(parts={})(IMAGES, INDEX, 4), IMAGES)


def test_a_task_augments_training_alone_and_anew_in_every_epoch():
    plain, shifted = Digits(batch=100, order=1), Digits(batch=100, order=1, augment=Shift(pixels=1))
    for split in ("valid", "test"):
        assert torch.equal(plain.batch(split, 0).inputs[0], shifted.batch(split, 0).inputs[0])
    size = shifted.size("train")
    seen = {}
    for index in range(2 * size):
        one, other = shifted.batch("train", index), plain.batch("train", index)
        assert torch.equal(one.index, other.index)
        assert torch.equal(one.target, other.target)
        for row, image in zip(one.index.tolist(), one.inputs[0], strict=True):
            seen.setdefault(row, []).append(image)
    assert {len(images) for images in seen.values()} == {2}
    assert sum(not torch.equal(*images) for images in seen.values()) > 0.8 * len(seen)


def test_another_batch_size_gives_the_same_images():
    one, other = (Digits(batch=batch, order=1, augment=Shift(pixels=1)) for batch in (40, 100))
    rows = {}
    for task in (one, other):
        images = torch.cat([task.batch("train", index).inputs[0] for index in range(task.size("train"))])
        numbers = torch.cat([task.batch("train", index).index for index in range(task.size("train"))])
        rows[task] = images[numbers.argsort()]
    assert torch.equal(rows[one], rows[other])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Shift(pixels=-1), {"code": "invalid_value", "key": "task.augment.pixels", "got": -1}),
        (lambda: Flip(chance=1.5), {"code": "invalid_value", "key": "task.augment.chance", "got": 1.5}),
        (
            lambda: Affine(rotation=-1.0, scale=0.0),
            {"code": "invalid_value", "key": "task.augment.rotation", "got": -1.0},
        ),
        (lambda: Affine(rotation=1.0, scale=1.0), {"code": "invalid_value", "key": "task.augment.scale", "got": 1.0}),
    ],
)
def test_impossible_numbers(make, expected):
    with usage_error(**expected):
        make()


def test_a_shift_past_the_image_is_refused():
    images, index = torch.ones(2, 1, 6, 4), torch.arange(2)
    assert Shift(pixels=3)(images, index, 0, 0).sum() > 0
    with usage_error("invalid_value", key="task.augment.pixels", got=4):
        Shift(pixels=4)(images, index, 0, 0)
