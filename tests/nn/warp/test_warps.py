"""Warps: identity, known maps, closed forms, coordinate convention."""

import math

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.nn.warp.affine import AffineWarp
from dlcli.nn.warp.projective import ProjectiveWarp
from dlcli.nn.warp.sampling import Warp, pixel_centers, sample_bilinear
from dlcli.nn.warp.thin_plate import ThinPlateSplineWarp

WARPS = {
    "affine": AffineWarp,
    "projective": ProjectiveWarp,
    "two": lambda height, width: ThinPlateSplineWarp(height, width, points=2),
    "four": lambda height, width: ThinPlateSplineWarp(height, width, points=4),
    "seven": lambda height, width: ThinPlateSplineWarp(height, width, points=7),
}
IMAGES = torch.rand(3, 2, 6, 9, generator=torch.Generator().manual_seed(0))
SQUARE = IMAGES[..., :6]
RAMP = torch.arange(16.0).view(1, 1, 4, 4)


def warped(images, warp, parameters):
    return sample_bilinear(images, warp(torch.as_tensor(parameters, dtype=torch.float32).expand(len(images), -1)))


def controls(points):
    side = np.linspace(-1, 1, points)
    return np.array([(x, y) for y in side for x in side])


@pytest.mark.parametrize("images", [IMAGES, SQUARE, RAMP, torch.rand(1, 1, 28, 28), torch.rand(1, 3, 1, 5)])
@pytest.mark.parametrize("name", WARPS)
def test_warp_identity_leaves_images_unchanged(name, images):
    warp = WARPS[name](*images.shape[2:])
    assert isinstance(warp, Warp)
    assert (warped(images, warp, warp.identity) - images).abs().max() < 1e-5


def test_pixel_centers_coordinates():
    places = pixel_centers(2, 4)
    assert places.shape == (2, 4, 2)
    assert places[0].tolist() == [[-0.75, -0.5], [-0.25, -0.5], [0.25, -0.5], [0.75, -0.5]]
    assert places[1, 0].tolist() == [-0.75, 0.5]


def test_sample_bilinear_interpolates_and_pads_with_zeros():
    at = torch.tensor([[[[0.0, 0.0], [0.25, -0.75], [3.0, 0.0], [-1.0, -0.75]]]])
    middle, between, outside, edge = sample_bilinear(RAMP, at).flatten().tolist()
    assert (middle, between, outside, edge) == pytest.approx((7.5, 2.0, 0.0, 0.0))
    assert sample_bilinear(RAMP + 1, at).flatten()[3].item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("matrix", "wanted"),
    [
        ([-1, 0, 0, 0, 1, 0], lambda x: x.flip(3)),
        ([1, 0, 0, 0, -1, 0], lambda x: x.flip(2)),
        ([0, -1, 0, 1, 0, 0], lambda x: x.rot90(1, (2, 3))),
        ([0, 1, 0, -1, 0, 0], lambda x: x.rot90(-1, (2, 3))),
        ([-1, 0, 0, 0, -1, 0], lambda x: x.rot90(2, (2, 3))),
        ([0, 1, 0, 1, 0, 0], lambda x: x.mT),
    ],
)
@pytest.mark.parametrize("kind", ["affine", "projective", "four"])
def test_affine_warp_flips_and_rotations_match_tensor_operations(kind, matrix, wanted):
    warp, parameters = WARPS[kind](6, 6), torch.tensor(matrix, dtype=torch.float32)
    if kind == "projective":
        parameters = torch.cat((parameters, torch.zeros(2)))
    if kind == "four":
        points = torch.from_numpy(controls(4)).float()
        parameters = (points @ parameters.view(2, 3)[:, :2].T).flatten()
    torch.testing.assert_close(warped(SQUARE, warp, parameters), wanted(SQUARE), atol=1e-5, rtol=0)


def test_affine_warp_maps_output_to_input():
    """A shift of one pixel to the right in the map brings the image one pixel to the left."""
    moved = warped(RAMP, AffineWarp(4, 4), [1, 0, 2 / 4, 0, 1, 0])
    torch.testing.assert_close(moved[..., :3], RAMP[..., 1:])
    assert moved[..., 3].eq(0).all()


def test_affine_warp_half_scale_crops_center():
    images = torch.rand(2, 1, 8, 12)
    torch.testing.assert_close(warped(images, AffineWarp(4, 6), [0.5, 0, 0, 0, 0.5, 0]), images[..., 2:6, 3:9])


def test_warps_are_per_sample():
    warp = AffineWarp(6, 9)
    parameters = torch.randn(3, 6)
    together = sample_bilinear(IMAGES, warp(parameters))
    for row in range(3):
        torch.testing.assert_close(
            together[row : row + 1], sample_bilinear(IMAGES[row : row + 1], warp(parameters[row : row + 1]))
        )


def test_projective_warp_matches_hand_computation():
    warp = ProjectiveWarp(1, 2)  # centers (-.5, 0) and (.5, 0)
    places = warp(torch.tensor([[2.0, 0.0, 0.5, 1.0, 3.0, -0.25, 0.4, 9.0]]))
    by_hand = [[-0.5 / 0.8, -0.75 / 0.8], [1.5 / 1.2, 0.25 / 1.2]]
    torch.testing.assert_close(places, torch.tensor([[by_hand]]))


def test_projective_warp_preserves_lines_and_maps_corners():
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float)
    wanted = np.array([(-0.5, -0.8), (0.7, -0.6), (0.9, 0.8), (-0.9, 0.5)])
    rows = [
        row
        for (x, y), (u, v) in zip(corners, wanted, strict=True)
        for row in ((x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y))
    ]
    parameters = torch.from_numpy(np.linalg.solve(np.array(rows), wanted.flatten())).float()
    warp = ProjectiveWarp(3, 3)
    warp.grid = torch.cat((torch.from_numpy(corners).float(), torch.ones(4, 1)), 1)[None]
    torch.testing.assert_close(warp(parameters[None])[0, 0], torch.from_numpy(wanted).float(), atol=1e-5, rtol=0)
    side = ProjectiveWarp(1, 9)(parameters[None])[0, 0]
    assert torch.linalg.matrix_rank(side - side[0], atol=1e-5) == 1


def test_projective_warp_is_finite_on_the_horizon():
    warp = ProjectiveWarp(1, 3)  # x = -2/3, 0, 2/3
    parameters = torch.tensor([[1.0, 0, 0.5, 0, 1, 0.25, -1.5, 0]], requires_grad=True)
    places = warp(parameters)
    assert places.isfinite().all()
    assert places[0, 0, 2, 1].item() == pytest.approx(0.25 / 1e-3)  # w = 0 counts as a small w above 0
    places.sum().backward()
    assert parameters.grad.isfinite().all()
    beyond = warp(torch.tensor([[1.0, 0, 0.5, 0, 1, 0.25, -1.5 - 3e-4, 0]]))
    assert beyond[0, 0, 2, 1].item() == pytest.approx(-0.25 / 1e-3)


def bookstein(points, values, places):
    """The spline through values at points, solved directly."""

    def u(one, other):
        r = np.linalg.norm(one[:, None] - other[None], axis=-1)
        return np.where(r == 0, 0, r**2 * np.log(np.where(r == 0, 1, r) ** 2))

    plane = np.concatenate((np.ones((len(points), 1)), points), 1)
    system = np.block([[u(points, points), plane], [plane.T, np.zeros((3, 3))]])
    found = np.linalg.solve(system, np.concatenate((values, np.zeros((3, 2)))))
    return u(places, points) @ found[:-3] + np.concatenate((np.ones((len(places), 1)), places), 1) @ found[-3:]


@pytest.mark.parametrize("points", [2, 3, 4, 6])
def test_thin_plate_spline_matches_direct_solution(points):
    values = controls(points) + np.random.default_rng(points).normal(0, 0.3, (points**2, 2))
    warp = ThinPlateSplineWarp(5, 8, points=points)
    places = warp(torch.from_numpy(values).float().flatten()[None])[0].flatten(0, 1)
    by_hand = bookstein(controls(points), values, pixel_centers(5, 8).flatten(0, 1).double().numpy())
    np.testing.assert_allclose(places.numpy(), by_hand, atol=2e-5)


def test_thin_plate_spline_interpolates_control_points():
    """Four of 5x5 points are centers of 2x2 pixels."""
    wanted = torch.from_numpy(controls(5)).float() + 0.5 * torch.randn(25, 2)
    places = ThinPlateSplineWarp(2, 2, points=5)(wanted.flatten()[None])[0]
    torch.testing.assert_close(places, wanted.view(5, 5, 2)[1::2, 1::2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("points", [2, 3, 5])
def test_thin_plate_spline_reproduces_affine_maps(points):
    matrix = torch.tensor([[0.7, -0.4, 0.2], [0.3, 1.1, -0.1]])
    moved = torch.from_numpy(controls(points)).float() @ matrix[:, :2].T + matrix[:, 2]
    torch.testing.assert_close(
        ThinPlateSplineWarp(7, 4, points=points)(moved.flatten()[None]),
        AffineWarp(7, 4)(matrix.flatten()[None]),
        atol=1e-5,
        rtol=0,
    )


def test_thin_plate_spline_matches_hand_computation():
    """Of four corners one is pulled: by symmetry the middle moves a quarter of its way."""
    moved = controls(2)
    moved[3] += (0.4, 0.0)
    places = ThinPlateSplineWarp(1, 1, points=2)(torch.from_numpy(moved).float().flatten()[None])
    torch.testing.assert_close(places.flatten(), torch.tensor([0.1, 0.0]), atol=1e-6, rtol=0)


def test_thin_plate_spline_rejects_single_point():
    with pytest.raises(UsageError) as raised:
        ThinPlateSplineWarp(4, 4, points=1)
    assert raised.value.fields["key"] == "warp.points"


def test_affine_warp_rotation_is_invertible():
    angle = math.radians(40)
    there = [math.cos(angle), -math.sin(angle), 0, math.sin(angle), math.cos(angle), 0]
    back = [math.cos(angle), math.sin(angle), 0, -math.sin(angle), math.cos(angle), 0]
    smooth = torch.exp(-8 * (pixel_centers(32, 32) - torch.tensor([0.3, -0.1])).square().sum(-1))[None, None]
    warp = AffineWarp(32, 32)
    torch.testing.assert_close(warped(warped(smooth, warp, there), warp, back), smooth, atol=0.04, rtol=0)
