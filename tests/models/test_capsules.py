"""Capsule networks: capsules, lengths, parameter counts, image sizes."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Labels, Real, Spec
from dlcli.core.task import Batch
from dlcli.models.capsule.capsnet import CapsNet
from dlcli.models.capsule.su_capsules import SuCapsules
from dlcli.models.capsule.su_pooling import SuPooling
from dlcli.nn.capsule.layers import CapsuleLayer, SharedCapsuleLayer, channels_to_capsules, length_logits
from dlcli.nn.capsule.routing import DynamicRouting, SuRouting

DIGITS, MNIST = (Spec((Real((1, side, side)),), Classes(10)) for side in (8, 28))
TALL = Spec((Real((1, None, 8)),), Labels(10))
ROUTING = {"iterations": 3, "gradient": "all", "coupling": "softmax"}
PAPER = {
    "channels": 256,
    "kernel_size": 9,
    "types": 32,
    "dim": 8,
    "primary_kernel": 9,
    "stride": 2,
    "pose": 16,
    "decoder": [512, 1024],
}
SMALL = PAPER | {"channels": 6, "kernel_size": 3, "types": 3, "dim": 4, "primary_kernel": 3, "pose": 5, "decoder": [7]}


def capsnet(spec=DIGITS, **changed):
    torch.manual_seed(0)
    return CapsNet(spec, routing=DynamicRouting(**ROUTING), **{**SMALL, **changed})


def su_capsules(spec=DIGITS, **changed):
    torch.manual_seed(0)
    return SuCapsules(spec, routing=SuRouting(**ROUTING), **{"channels": [4, 6], "pad": 1, "pose": 5, **changed})


def su_pooling(spec=DIGITS, **changed):
    torch.manual_seed(0)
    return SuPooling(spec, **{"channels": [4, 6], "pad": 1, "pooling": "average", "dense": 7, **changed})


def images(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_capsnet_parameter_count_matches_paper():
    with torch.device("meta"):
        assert count(capsnet(MNIST, **PAPER)) == 8_215_728
        assert count(capsnet(MNIST, **PAPER | {"decoder": []})) == 6_804_384


def test_su_networks_parameter_count_matches_published_code():
    with torch.device("meta"):
        assert count(su_capsules(MNIST, channels=[64, 128], pad=0, pose=16)) == 279_488
        assert count(su_pooling(MNIST, channels=[64, 128], pad=0, dense=128)) == 276_810


def test_channels_to_capsules_groups_channels_per_position():
    x = torch.arange(2 * 6 * 2 * 2).view(2, 6, 2, 2).float()
    capsules = channels_to_capsules(x, 3)
    assert capsules.shape == (2, 8, 3)
    for kind in range(2):
        for row in range(2):
            for column in range(2):
                wanted = x[:, 3 * kind : 3 * kind + 3, row, column]
                assert torch.equal(capsules[:, 4 * kind + 2 * row + column], wanted)


def test_primary_capsules_are_local():
    x = images(1, 12, 3, 3)
    changed = x.clone()
    changed[:, :4, 1, 2] += 1  # all channels of the first type, one place
    moved = (channels_to_capsules(changed, 4) != channels_to_capsules(x, 4)).any(2)[0]
    assert moved.nonzero().flatten().tolist() == [1 * 3 + 2]


@pytest.mark.parametrize("model", [capsnet(), su_capsules()], ids=["CapsNet", "SuCapsules"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_capsule_lengths_are_sigmoid_of_logits(model, scale):
    x = scale * images(4, 1, 8, 8)
    length = model.capsules(x).norm(dim=2)
    assert length.shape == (4, 10)
    assert (length >= 0).all()
    assert (length <= 1).all()
    scores = model(x)
    assert scores.isfinite().all()
    torch.testing.assert_close(scores.sigmoid(), length, rtol=0, atol=2e-6)
    assert (scores.sigmoid() < 1).all()


def test_capsnet_gradients_are_finite_for_zero_image():
    for model in (capsnet(), su_capsules()):
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
        loss = (0.9 - model(torch.zeros(2, 1, 8, 8)).sigmoid()).square().sum()
        gradients = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
        assert all(one.isfinite().all() for one in gradients if one is not None)


def test_length_logits_are_finite():
    assert length_logits(torch.zeros(1, 1, 3)).isfinite().all()
    assert length_logits(torch.tensor([[[1.0, 0.0, 0.0]]])).isfinite().all()


def test_shared_capsule_layer_equals_capsule_layer_with_equal_matrices():
    torch.manual_seed(0)
    shared = SharedCapsuleLayer(3, 4, 5, DynamicRouting(**ROUTING))
    own = CapsuleLayer(6, 3, 4, 5, DynamicRouting(**ROUTING), spread=1.0, bias=0.0)
    own.weight.data = shared.weight[:, None].expand(3, 6, 4, 5).clone()
    u = images(2, 6, 3)
    torch.testing.assert_close(own(u), shared(u))


@pytest.mark.parametrize("make", [su_capsules, su_pooling])
def test_su_networks_accept_any_height(make):
    model = make(TALL)
    assert model(images(3, 1, 8, 8)).shape == model(images(3, 1, 16, 8)).shape == (3, 10)


def test_su_networks_are_invariant_to_positions():
    x = images(2, 6, 4, 4)
    turned = x.flip(2)
    capsules, pooling = su_capsules(), su_pooling()
    torch.testing.assert_close(
        capsules.classes(channels_to_capsules(x, 6)), capsules.classes(channels_to_capsules(turned, 6))
    )
    torch.testing.assert_close(pooling.pool(x, dim=(2, 3)), pooling.pool(turned, dim=(2, 3)))


def test_capsule_decoder_depends_on_selected_capsules_only():
    model = capsnet()
    poses, mask = model.capsules(images(2, 1, 8, 8)), torch.eye(10)[[3, 7]]
    other = poses + (1 - mask)[..., None]
    made = model.reconstruct(poses, mask)
    assert made.shape == (2, 1, 8, 8)
    assert torch.equal(model.reconstruct(other, mask), made)
    assert not torch.equal(model.reconstruct(poses + mask[..., None], mask), made)


@pytest.mark.parametrize("target", ["classes", "labels"])
def test_capsnet_images_of_reconstructions_and_pose_dimensions(target):
    spec = DIGITS if target == "classes" else Spec(DIGITS.inputs, Labels(10))
    model = capsnet(spec)
    classes = torch.tensor([3, 7, 1, 0])
    wanted = classes if target == "classes" else torch.eye(10)[classes] + torch.eye(10)[9]
    rows = torch.arange(4)
    with torch.no_grad():
        left = model.depict(Batch((images(4, 1, 8, 8),), wanted, rows == 0, 0, 0, rows))
    assert set(left) == {"reconstructions", "capsule_dimensions"}
    scale = 900 // (4 * 8)
    assert left["reconstructions"].pixels.shape == (3 * (8 * scale + 1) + 1, 4 * (8 * scale + 1) + 1, 3)
    for leaf in left.values():
        assert 0 <= leaf.pixels.min() <= leaf.pixels.max() <= 1
    colored = (leaf := left["reconstructions"].pixels).amax(2) - leaf.amin(2)
    assert (colored.max() > 0) == (target == "labels")


def test_capsnet_without_decoder_has_no_images():
    model = capsnet(decoder=[])
    rows = torch.arange(2)
    assert model.depict(Batch((images(2, 1, 8, 8),), rows, rows == 0, 0, 0, rows)) == {}
    assert not hasattr(model, "reconstruct")


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            Mismatch,
            "mismatch",
            {
                "subject": "CapsNet with kernels of 9 and 9 pixels",
                "requirement": "an image of at least 17 pixels a side",
            },
            lambda: capsnet(kernel_size=9, primary_kernel=9),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "CapsNet", "requirement": "a target of classes"},
            lambda: capsnet(Spec(DIGITS.inputs, Real((3,)))),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "CapsNet", "requirement": "images of one size (channel, height, width)"},
            lambda: capsnet(TALL),
        ),
        (UsageError, "invalid_value", {"key": "model.types", "got": 0}, lambda: capsnet(types=0)),
        (UsageError, "invalid_value", {"key": "model.decoder.0", "got": 0}, lambda: capsnet(decoder=[0])),
        (
            Mismatch,
            "mismatch",
            {"subject": "SuCapsules with model.pad=0", "requirement": "a larger image"},
            lambda: su_capsules(pad=0),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "SuPooling", "requirement": "one image (channel, height, width)"},
            lambda: su_pooling(Spec((Real((1, 64)),), Classes(10))),
        ),
        (UsageError, "invalid_value", {"key": "model.channels", "got": [4]}, lambda: su_pooling(channels=[4])),
    ],
)
def test_capsule_networks_reject_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
