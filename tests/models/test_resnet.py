"""Residual networks: published sizes, units, non-local blocks, inflation."""

import pytest
import torch

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Image
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Batch
from dlcli.models.image.resnet import ResNet
from dlcli.models.image.video_resnet import VideoResNet
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.conv.inflated import InflatedConv3d
from dlcli.nn.initializers import GaussianInitializer

SMALL = {
    "unit": "basic",
    "stem": "3x3",
    "widths": [4, 6],
    "units": [1, 2],
    "drop_path": 0.0,
    "dropout": 0.0,
    "nonlocal_every": [0, 0],
    "nonlocal_variant": "embedded_gaussian",
    "nonlocal_scale": 1.0,
    "nonlocal_pool": 1,
    "nonlocal_gamma": 0.0,
    "nonlocal_initializer": GaussianInitializer(deviation=0.01),
}
FIFTY = {"unit": "bottleneck", "stem": "7x7", "widths": [64, 128, 256, 512], "units": [3, 4, 6, 3]}
NONE = {"nonlocal_every": [0, 0, 0, 0]}


def image_net(spec=None, **changed):
    torch.manual_seed(0)
    return _trained(ResNet(spec or Spec((Real((1, 8, 8)),), Classes(10)), **{**SMALL, **changed}))


def video_net(spec=None, **changed):
    torch.manual_seed(0)
    given = {"temporal": [1, 1], "read": "mean", **SMALL, **changed}
    return _trained(VideoResNet(spec or Spec((Real((1, 5, 8, 8)),), Classes(10)), **given))


def _trained(network):
    """Norms that scale and shift, and averages that are no longer 0 and 1, so that forgetting one shows."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.normal_(module.weight, 1.0, 0.3)
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
    return network


def images(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        (FIFTY, 25_557_032),
        ({**FIFTY, "units": [3, 4, 23, 3]}, 44_549_160),
        ({**FIFTY, "unit": "basic"}, 21_797_672),
        ({**FIFTY, "unit": "basic", "units": [2, 2, 2, 2]}, 11_689_512),
    ],
)
def test_resnet_parameter_count_matches_papers(sizes, wanted):
    spec = Spec((Real((3, 224, 224)),), Classes(1000))
    with torch.device("meta"):
        assert count(ResNet(spec, **{**SMALL, **NONE, **sizes})) == wanted


def test_resnet_positions_of_non_local_blocks():
    spec = Spec((Real((3, 224, 224)),), Classes(1000))
    with torch.device("meta"):
        network = ResNet(spec, **{**SMALL, **FIFTY, "nonlocal_every": [0, 2, 2, 0]})
    names = [name for name, part in network.trunk.named_children() if isinstance(part, NonLocalBlock)]
    assert names == ["nonlocal_2_2", "nonlocal_2_4", "nonlocal_3_2", "nonlocal_3_4", "nonlocal_3_6"]
    blocks = sum(2 * c * c + 3 * c // 2 + c + 2 * c for c in (512, 512, 1024, 1024, 1024))
    assert count(network) == 25_557_032 + blocks


@pytest.mark.parametrize("unit", ["basic", "bottleneck"])
def test_residual_unit_matches_hand_computation(unit):
    network = image_net(unit=unit).eval()
    part, x = network.trunk.unit_2_1, images(2, network.trunk.unit_1_1.branch[-1].num_features, 8, 8)
    torch.testing.assert_close(part(x), (part.shortcut(x) + part.branch(x)).relu())
    assert part(x).shape == (2, 24 if unit == "bottleneck" else 6, 4, 4)
    assert isinstance(network.trunk.unit_2_2.shortcut, torch.nn.Identity)


def test_resnet_output_unchanged_by_initial_non_local_blocks():
    plain, x = image_net().eval(), images(3, 1, 8, 8)
    torch.manual_seed(0)
    network = ResNet(Spec((Real((1, 8, 8)),), Classes(10)), **{**SMALL, "nonlocal_every": [1, 2]}).eval()
    missing, unexpected = network.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert {name.split(".")[1] for name in missing} == {"nonlocal_1_1", "nonlocal_2_2"}
    assert torch.equal(network(x), plain(x))


def test_resnet_drop_path_keeps_shortcut_and_rescales():
    unit = image_net(drop_path=0.9, units=[1, 4]).trunk.unit_2_4
    unit.branch.eval()
    x = images(64, 6, 4, 4)
    torch.manual_seed(0)
    got = unit(x)
    whole, without = (x + unit.branch(x) / (1 - 0.9)).relu(), x.relu()
    kept = torch.tensor([not torch.equal(one, other) for one, other in zip(got, without, strict=True)])
    torch.testing.assert_close(got[kept], whole[kept])
    assert 0 < kept.sum() < 20
    unit.eval()
    torch.testing.assert_close(unit(x), (x + unit.branch(x)).relu())


def test_resnet_drop_path_increases_linearly():
    network = image_net(drop_path=0.5, units=[1, 4])
    rates = [part.drop.rate for name, part in network.trunk.named_children() if name.startswith("unit")]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize("temporal", [[1, 1], [3, 1], [3, 5]])
@pytest.mark.parametrize("read", ["mean", "last"])
def test_video_resnet_inflated_weights_match_image_network_on_static_video(temporal, read):
    flat, video = image_net().eval(), video_net(temporal=temporal, read=read).eval()
    video.load_state_dict(flat.state_dict())
    x = images(3, 1, 8, 8)
    still = x[:, :, None].expand(-1, -1, 5, -1, -1)
    torch.testing.assert_close(video(still), flat(x), rtol=1e-4, atol=1e-5)


def seen_frames(network, read=4):
    """Which frames of the input a frame of the trunk's answer depends on."""
    x = images(1, 1, 5, 8, 8).requires_grad_()
    network.eval().trunk(x)[:, :, read].sum().backward()
    return (x.grad.abs().amax((0, 1, 3, 4)) > 0).tolist()


def test_video_resnet_temporal_receptive_field():
    assert seen_frames(video_net()) == [False, False, False, False, True]
    assert seen_frames(video_net(temporal=[3, 1])) == [False, False, False, True, True]
    assert seen_frames(video_net(temporal=[3, 3], units=[1, 1])) == [False, False, True, True, True]
    assert all(seen_frames(video_net(nonlocal_every=[1, 0])))


def test_video_resnet_reads_last_frame_or_mean():
    x = images(2, 1, 5, 8, 8)
    for read, wanted in (("last", slice(4, 5)), ("mean", slice(None))):
        network = video_net(read=read).eval()
        mean = network.trunk(x)[:, :, wanted].mean((2, 3, 4))
        torch.testing.assert_close(network(x), network.answer[-1](mean))


def test_inflated_conv_matches_hand_computation():
    conv = InflatedConv3d(1, 1, (3, 1, 1), 1)
    conv.weight.data[:] = torch.tensor([1.0, 2.0, 4.0]).view(1, 1, 3, 1, 1)
    x = torch.tensor([1.0, 10.0, 100.0]).view(1, 1, 3, 1, 1)
    assert conv(x).flatten().tolist() == [1 + 2 + 40, 1 + 20 + 400, 10 + 200 + 400]


@pytest.mark.parametrize("form", ["gaussian", "dot_product"])
def test_resnets_attention_map_images(form):
    for make, shape in ((image_net, (16, 1, 8, 8)), (video_net, (16, 1, 5, 8, 8))):
        x = images(*shape)
        rows = torch.arange(16)
        batch = Batch((x,), rows % 10, rows >= 0, 0, 0, rows)
        leaf = make(nonlocal_every=[0, 1], nonlocal_variant=form).eval().depict(batch)["attention"]
        assert isinstance(leaf, Image)
        assert leaf.pixels.dim() == 3
        assert 0 <= leaf.pixels.min() < leaf.pixels.max() <= 1
        assert make().depict(batch) == {}


def test_resnets_accept_odd_sizes_rgb_and_labels():
    spec = Spec((Real((3, 15, 11)),), Classes(4))
    assert image_net(spec, nonlocal_every=[1, 1], nonlocal_pool=2)(images(2, 3, 15, 11)).shape == (2, 4)
    assert image_net(Spec((Real((3, 32, 32)),), Classes(4)), stem="7x7")(images(2, 3, 32, 32)).shape == (2, 4)
    video = Spec((Real((3, 4, 32, 32)),), Classes(4))
    assert video_net(video, stem="7x7", nonlocal_every=[0, 1])(images(2, 3, 4, 32, 32)).shape == (2, 4)


@pytest.mark.parametrize(
    ("error", "code", "fields", "build_model"),
    [
        (
            Mismatch,
            "mismatch",
            {"subject": "ResNet", "requirement": "an image that can be halved 3 times (this one: at most 2)"},
            lambda: image_net(stem="7x7"),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "ResNet", "requirement": "one image (channel, height, width)"},
            lambda: image_net(Spec((Real((1, 64)),), Classes(10))),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "VideoResNet", "requirement": "one video (channel, time, height, width)"},
            lambda: video_net(Spec((Real((1, 8, 8)),), Classes(10))),
        ),
        (
            Mismatch,
            "mismatch",
            {"subject": "VideoResNet", "requirement": "an image that can be halved 3 times (this one: at most 2)"},
            lambda: video_net(stem="7x7"),
        ),
        (
            UsageError,
            "invalid_value",
            {"key": "model.widths", "must": "as long as units and nonlocal_every"},
            lambda: image_net(units=[1]),
        ),
        (UsageError, "unknown_name", {"kind": "model.unit", "name": "basik"}, lambda: image_net(unit="basik")),
        (
            UsageError,
            "invalid_value",
            {"key": "model.read", "got": "first", "must": "mean or last"},
            lambda: video_net(read="first"),
        ),
        (UsageError, "invalid_value", {"key": "model.temporal", "got": 2}, lambda: video_net(temporal=[1, 2])),
        (UsageError, "invalid_value", {"key": "model.units", "got": 0}, lambda: image_net(units=[1, 0])),
    ],
)
def test_resnets_reject_invalid_input(error, code, fields, build_model):
    with pytest.raises(error) as raised:
        build_model()
    assert raised.value.code == code
    assert fields.items() <= raised.value.fields.items()
