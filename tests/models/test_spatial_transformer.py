"""Spatial transformer."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from dlcli.config import build, compose
from dlcli.config.budget import solve_budget
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Labels, Real, Spec
from dlcli.core.task import Batch
from dlcli.models.image.spatial_transformer import SpatialTransformer
from dlcli.nn.warp.affine import AffineWarp
from dlcli.nn.warp.projective import ProjectiveWarp
from dlcli.nn.warp.thin_plate import ThinPlateSplineWarp

SPEC = Spec((Real((2, 6, 9)),), Classes(4))
IMAGES = torch.rand(5, 2, 6, 9, generator=torch.Generator().manual_seed(0))
WARPS = [AffineWarp, ProjectiveWarp, partial(ThinPlateSplineWarp, points=4)]


class Flat(nn.Module):
    """A linear network that remembers what it was given."""

    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        self.linear = nn.Linear(math.prod(spec.inputs[0].shape), spec.target.width)

    def forward(self, x):
        self.seen = x
        return self.linear(x.flatten(1))


def transformer(spec=SPEC, **changed):
    torch.manual_seed(0)
    given = {
        "body": Flat,
        "localiser": Flat,
        "hidden": 8,
        "warp": AffineWarp,
        "size": None,
        "warp_init": "identity",
    }
    return SpatialTransformer(spec, **{**given, **changed})


@pytest.mark.parametrize("warp", WARPS)
def test_spatial_transformer_initially_equals_body(warp):
    model = transformer(warp=warp)
    answer = model(IMAGES)
    assert (model.body.seen - IMAGES).abs().max() < 1e-5
    torch.testing.assert_close(answer, model.body(IMAGES), atol=1e-5, rtol=0)


def test_spatial_transformer_default_warp_init_is_not_identity():
    model = transformer(warp_init="random")
    model(IMAGES)
    assert (model.body.seen - IMAGES).abs().max() > 0.3


def test_spatial_transformer_body_receives_warped_image():
    model = transformer()
    with torch.no_grad():
        model.regression.bias.copy_(torch.tensor([-1.0, 0, 0, 0, -1, 0]))
    model(IMAGES)
    torch.testing.assert_close(model.body.seen, IMAGES.rot90(2, (2, 3)), atol=1e-5, rtol=0)


def test_spatial_transformer_warps_are_per_image():
    model = transformer()
    nn.init.normal_(model.regression.weight)
    places = model.sampling_grid(IMAGES)
    assert places.shape == (5, 6, 9, 2)
    assert torch.pdist(places.flatten(1)).min() > 1e-2


@pytest.mark.parametrize("warp", WARPS)
def test_spatial_transformer_gradients_reach_all_parts(warp):
    model = transformer(warp=warp)
    model(IMAGES).square().sum().backward()
    assert all(one.grad.abs().sum() > 0 for part in (model.body, model.regression) for one in part.parameters())
    assert all(one.grad.eq(0).all() for one in model.localiser.parameters())  # behind a weight of 0
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    optimizer.step()
    optimizer.zero_grad()
    model(IMAGES).square().sum().backward()
    assert all(one.grad.abs().sum() > 0 for one in model.localiser.parameters())


def test_spatial_transformer_specs_of_parts():
    model = transformer(size=[3, 4], spec=Spec((Real((2, 6, 9)),), Labels(4)))
    assert model.localiser.spec == Spec((Real((2, 6, 9)),), Real((8,)))
    assert model.body.spec == Spec((Real((2, 3, 4)),), Labels(4))
    assert model(IMAGES).shape == (5, 4)
    assert model.body.seen.shape == (5, 2, 3, 4)


def test_spatial_transformer_warp_gradient_matches_finite_differences():
    model = transformer().double()
    nn.init.normal_(model.regression.weight, 0.0, 0.1)
    model.warp.double()

    def answer(bias):
        return torch.func.functional_call(model, {"regression.bias": bias}, (IMAGES.double(),))

    off = model.regression.bias.detach() + 0.01 * torch.randn(6, dtype=torch.float64)  # not on a pixel's edge
    assert torch.autograd.gradcheck(answer, (off.requires_grad_(),), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("size", [[0, 4], [4], [4, 4, 4]])
def test_spatial_transformer_rejects_invalid_size(size):
    with pytest.raises(UsageError) as raised:
        transformer(size=size)
    assert raised.value.fields["key"] == "model.size"


def test_spatial_transformer_rejects_other_inputs():
    with pytest.raises(Mismatch) as raised:
        transformer(Spec((Real((2, 9)),), Classes(4)))
    assert raised.value.fields["subject"] == "SpatialTransformer"


BODIES = [
    ("vgg", "affine"), ("macro_cnn", "projective"), ("cnn", "thin_plate"), ("spatial_transformer", "affine"),
    ("resnet", "projective"), ("mlp", "affine"),
]  # fmt: skip


def composed(*words):
    (point,) = compose.expand("train", ["spatial_transformer", "threads=1", *words])
    return solve_budget(point.resolved())


@pytest.mark.parametrize(("body", "warp"), BODIES)
def test_spatial_transformer_accepts_any_image_model_as_body(body, warp):
    config = composed(f"model@model.body={body}", f"warp@model.warp={warp}")
    model = build.build(config, torch.device("cpu")).model
    assert type(model.body).__name__.lower() == body.replace("_", "")
    assert model(torch.rand(2, 1, 8, 8)).shape == (2, 10)


def test_spatial_transformer_budget_scales_body():
    small, large = (composed("model@model.body=vgg", f"budget={budget}")["model"] for budget in (20_000, 60_000))
    assert small["body"]["width"] < large["body"]["width"]
    assert small["localiser"] == large["localiser"]
    assert "scales" not in large["body"]


def test_spatial_transformer_rejects_body_for_small_warped_image():
    with pytest.raises(Mismatch) as raised:
        build.build(composed("model@model.body=vgg", "model.size=[3,3]"), torch.device("cpu"))
    assert raised.value.fields["subject"] == "VGG"
    assert raised.value.fields["requirement"] == "an image that can be halved 2 times (this one: at most 1)"


@pytest.mark.parametrize("size", [None, [12, 4]])
def test_spatial_transformer_images_show_outline_and_warped_image(size):
    model = transformer(Spec((Real((1, 8, 8)),), Classes(4)), size=size)
    images = torch.zeros(3, 1, 8, 8)
    images[:, :, 3, 4] = 1.0
    rows = torch.arange(3)
    batch = Batch((images,), rows, rows == 0, 0, 0, rows)
    with torch.no_grad():
        picture = model.depict(batch)["warps"].pixels
    height, width = (96, 96) if size is None else (144, 96)
    assert picture.shape == (height + 2, 8 * (width + 1) + 1, 3)
    before, after = picture[1 : 1 + height, 1 : 1 + width], picture[1 : 1 + height, 2 + width : 2 + 2 * width]
    assert before[3 * 12 + 6, 4 * 12 + 6].tolist() == [1, 1, 1]
    line = before[:96, 48]
    assert (line[:8, 0] > line[:8, 2]).any()  # orange above, through the centers of the first row
    assert (line[-8:, 0] < line[-8:, 2]).any()  # blue below
    if size is None:
        assert after[3 * 12 + 6, 4 * 12 + 6].tolist() == pytest.approx([1, 1, 1], abs=1e-5)
        assert after.sum() == pytest.approx(3 * 12 * 12, rel=1e-4)
