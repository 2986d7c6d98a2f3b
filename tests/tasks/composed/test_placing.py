"""Where pixels go: whole-pixel places against writing them by hand, warps against turning and scaling by hand."""

import math

import pytest
import torch

from dlcli.tasks.composed.placing import place, warp

RANDOM = torch.Generator().manual_seed(0)
IMAGES = torch.rand(5, 2, 4, 4, generator=RANDOM)


def warped(images=IMAGES, *, degrees=0.0, scale=1.0, shear=0.0, corner=(0, 0), canvas=4):
    count = len(images)
    numbers = {name: torch.full((count,), value) for name, value in zip("dsh", (degrees, scale, shear), strict=True)}
    return warp(
        images,
        degrees=numbers["d"],
        scale=numbers["s"],
        shear=numbers["h"],
        corner=torch.tensor([corner] * count),
        canvas=canvas,
    )


def test_an_image_lies_at_its_corner_and_what_is_outside_is_cut_off():
    corners = torch.tensor([[0, 0], [2, 5], [-1, 3], [4, -2], [-9, 40]])
    found = place(IMAGES, corners, 6, 7)
    wanted = torch.zeros(5, 2, 6, 7)
    for number, (top, left) in enumerate(corners.tolist()):
        for row in range(4):
            for column in range(4):
                if 0 <= top + row < 6 and 0 <= left + column < 7:
                    wanted[number, :, top + row, left + column] = IMAGES[number, :, row, column]
    assert torch.equal(found, wanted)
    assert not found[4].any()


def test_a_negative_corner_cuts_a_piece_out():
    assert torch.equal(place(IMAGES, torch.tensor([[-1, -2]] * 5), 2, 2), IMAGES[:, :, 1:3, 2:4])


@pytest.mark.parametrize("canvas", [4, 5, 8, 11])
def test_the_identity_warp_is_placing(canvas):
    for corner in {(0, 0), (canvas - 4, 0), ((canvas - 4) // 2, canvas - 4), (-1, 2)}:
        wanted = place(IMAGES, torch.tensor([corner] * 5), canvas, canvas)
        torch.testing.assert_close(warped(corner=corner, canvas=canvas), wanted, atol=2e-6, rtol=0)


@pytest.mark.parametrize(("degrees", "quarters"), [(90.0, 1), (180.0, 2), (-90.0, -1)])
def test_quarter_turns_are_counter_clockwise_about_the_middle(degrees, quarters):
    wanted = place(IMAGES.rot90(quarters, (2, 3)), torch.tensor([[1, 3]] * 5), 8, 8)
    torch.testing.assert_close(warped(degrees=degrees, corner=(1, 3), canvas=8), wanted, atol=2e-6, rtol=0)


def test_scale_above_one_makes_larger():
    square = torch.ones(1, 1, 4, 4)
    for scale in (0.5, 1.0, 2.0):
        area = warped(square, scale=scale, corner=(6, 6), canvas=16).sum().item()
        assert area == pytest.approx(16 * scale**2, rel=0.15)
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    large = warped(ramp, scale=2.0, corner=(6, 6), canvas=16)
    torch.testing.assert_close(large[0, 0, 8, 5:11], torch.arange(6) / 2 + 0.25, atol=1e-5, rtol=0)


def test_shear_moves_lower_rows_to_the_right():
    bar = torch.zeros(1, 1, 5, 5)
    bar[..., 2] = 1.0
    moved = warped(bar, shear=1.0, corner=(3, 3), canvas=11)[0, 0, 3:8]
    assert moved.argmax(1).tolist() == [3, 4, 5, 6, 7]


def test_each_image_is_warped_by_its_own_numbers():
    degrees, scale, shear = (torch.rand(5, generator=RANDOM) for _ in range(3))
    corner = torch.randint(0, 5, (5, 2), generator=RANDOM)
    numbers = {"degrees": degrees * 90, "scale": 0.5 + scale, "shear": shear, "corner": corner}
    together = warp(IMAGES, canvas=9, **numbers)
    for row in range(5):
        alone = warp(IMAGES[row : row + 1], canvas=9, **{name: value[row : row + 1] for name, value in numbers.items()})
        torch.testing.assert_close(alone, together[row : row + 1])


def test_a_warp_against_bilinear_sums_by_hand():
    degrees, scale, shear, corner, canvas = 30.0, 1.2, 0.3, (2, 1), 8
    found = warped(IMAGES[:1], degrees=degrees, scale=scale, shear=shear, corner=corner, canvas=canvas)
    angle = math.radians(degrees)
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])  # rows downwards
    forward = scale * turn @ torch.tensor([[1.0, shear], [0.0, 1.0]])
    middle = torch.tensor([corner[1] + 1.5, corner[0] + 1.5])
    wanted = torch.zeros(2, canvas, canvas)
    for row in range(canvas):
        for column in range(canvas):
            x, y = (forward.inverse() @ (torch.tensor([float(column), float(row)]) - middle) + 1.5).tolist()
            for i in range(4):
                for j in range(4):
                    wanted[:, row, column] += max(0, 1 - abs(y - i)) * max(0, 1 - abs(x - j)) * IMAGES[0, :, i, j]
    torch.testing.assert_close(found[0], wanted, atol=1e-5, rtol=0)
