from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import yaml

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.spec import Classes, Real, Spec
from dlcli.core.task import Batch, Recurrent, call
from dlcli.models.sequence.tcn import TCN, channels_last

HYPER = {
    "channels": [4, 4, 6],
    "kernel_size": 3,
    "dropout": 0.0,
    "noise": "element",
    "embedding": 5,
    "embedding_dropout": 0.0,
    "tied": False,
}
LAST = Spec((Real((2, None)),), Real((3,)))
STEPS = Spec((Real((2, None)),), Real((3, None)))
WORDS = Spec((Classes(11, (None,)),), Classes(11, (None,)))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tcn(spec, **changed):
    return TCN(spec, **HYPER | changed).double()


def positive(model):
    """No ReLU is ever shut on positive inputs, so every path carries a signal."""
    for parameter in model.parameters():
        parameter.data.abs_().add_(0.01)
    return model


def plain(model, x):
    """The published computation, every level at every step, with the model's own weights."""
    for level, block in enumerate(model.blocks):
        h = x
        for conv in (block.first, block.second):
            weight, dilation = conv.taps.weight.squeeze(2), 2**level
            padded = F.pad(h, ((weight.shape[-1] - 1) * dilation, 0))
            h = F.relu(F.conv1d(padded, weight, conv.taps.bias, dilation=dilation))
        shortcut = block.shortcut
        x = F.relu(h + (F.conv1d(x, shortcut.weight.squeeze(2), shortcut.bias) if list(shortcut.parameters()) else x))
    linear = model.head.linear
    every = torch.einsum("uc,bct->but", linear.weight, x) + linear.bias[:, None]
    return every if model.head.per_step else every[..., -1]


def test_tcn_is_causal():
    model, x = tcn(STEPS), torch.randn(2, 2, 40, dtype=torch.double)
    future = x.clone()
    future[..., 25:] += 1
    before, after = model(x), model(future)
    assert torch.equal(after[..., :25], before[..., :25])
    assert (after[..., 25:] != before[..., 25:]).any(1).all()


@pytest.mark.parametrize("spec", [LAST, STEPS], ids=["last", "steps"])
@pytest.mark.parametrize(("kernel_size", "levels"), [(2, 1), (3, 3), (7, 2)])
def test_tcn_receptive_field_is_exact(spec, kernel_size, levels):
    model = positive(tcn(spec, kernel_size=kernel_size, channels=[4] * levels))
    field = model.receptive_field
    assert field == 1 + 2 * (kernel_size - 1) * (2**levels - 1)
    x = torch.rand(1, 2, field + 5, dtype=torch.double)
    before = model(x)[:, :, -1:] if spec.per_step else model(x)
    for steps_back, changes in ((field - 1, True), (field, False)):
        other = x.clone()
        other[..., -1 - steps_back] += 1
        after = model(other)[:, :, -1:] if spec.per_step else model(other)
        assert torch.equal(after, before) != changes


@pytest.mark.parametrize("spec", [LAST, STEPS], ids=["last", "steps"])
@pytest.mark.parametrize("time", [1, 2, 3, 8, 13, 29, 30, 64, 101])
@pytest.mark.parametrize(("kernel_size", "channels"), [(2, [4] * 4), (3, [4, 4, 6]), (7, [3, 5])])
def test_tcn_matches_reference_values_and_gradients(spec, time, kernel_size, channels):
    model = tcn(spec, kernel_size=kernel_size, channels=channels)
    x = torch.randn(2, 2, time, dtype=torch.double, requires_grad=True)
    results = []
    for output in (model(x), plain(model, x)):
        slope = torch.arange(output.numel(), dtype=torch.double).view(output.shape)
        results.append((output, *torch.autograd.grad((output * slope).sum(), [x, *model.parameters()])))
    for got, wanted in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("spec", [LAST, STEPS], ids=["last", "steps"])
def test_tcn_float32_error_is_minimal(spec):
    model, x = tcn(spec).float(), torch.randn(2, 2, 50)
    wanted = plain(model, x)
    torch.testing.assert_close(model(x), wanted, rtol=0, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("spec", [LAST, STEPS], ids=["last", "steps"])
@pytest.mark.parametrize("chunks", [[1] * 40, [40], [7, 1, 32], [13, 27]], ids=str)
def test_tcn_streaming_equals_full_sequence(spec, chunks):
    model, x = tcn(spec), torch.randn(3, 2, 40, dtype=torch.double)
    carry, outputs = model.start(3), []
    for chunk in x.split(chunks, -1):
        output, carry = model(chunk, carry=carry)
        outputs.append(output)
    torch.testing.assert_close(torch.cat(outputs, -1) if spec.per_step else outputs[-1], model(x))


def test_tcn_carry_has_minimal_length():
    model = tcn(STEPS)
    _, carry = model(torch.randn(3, 2, 500, dtype=torch.double), carry=model.start(3))
    for level, (block, past) in enumerate(zip(model.blocks, carry, strict=True)):
        widths = (block.first.taps.in_channels, block.second.taps.in_channels)
        for width, part in zip(widths, past, strict=True):
            assert part.shape == (3, width, 1, 2 * 2**level)
            assert part.untyped_storage().nbytes() == part.numel() * part.element_size()


def test_tcn_streams_tokens_and_resets_first_rows():
    model = tcn(WORDS, channels=[4, 5], tied=True)
    assert isinstance(model, Recurrent)
    tokens, index = torch.randint(11, (2, 30)), torch.arange(2)
    parts = [
        Batch((part,), part, first, step, 0, index)
        for step, (part, first) in enumerate(
            zip(tokens.split(15, 1), (torch.tensor([True, True]), torch.tensor([False, True])), strict=True)
        )
    ]
    _, carry = call(model, parts[0])
    output, _ = call(model, parts[1], carry)
    torch.testing.assert_close(output[0], model(tokens)[0, :, 15:])
    torch.testing.assert_close(output[1], model(tokens[:, 15:])[1])


def test_tcn_features_are_inputs_of_head():
    model, x = tcn(STEPS), torch.randn(2, 2, 9, dtype=torch.double)
    assert torch.equal(model.head(model.features(channels_last(x)).squeeze(2)), model(x))


SIZES = [
    ("adding 200", Spec((Real((2, 200)),), Real((1,))), [27] * 7, 6, {}, 58_051),
    ("adding 400", Spec((Real((2, 400)),), Real((1,))), [27] * 7, 7, {}, 67_582),
    ("adding 600", Spec((Real((2, 600)),), Real((1,))), [24] * 8, 8, {}, 70_369),
    ("mnist", Spec((Real((1, 784)),), Classes(10)), [25] * 8, 7, {}, 66_910),
    ("mnist, small", Spec((Real((1, 784)),), Classes(10)), [20] * 8, 6, {}, 37_010),
    ("copy 500", Spec((Real((1, 520)),), Classes(10, (520,))), [10] * 9, 6, {}, 10_750),
    ("copy 1000", Spec((Real((1, 1020)),), Classes(10, (1020,))), [10] * 8, 8, {}, 12_530),
    ("copy 2000", Spec((Real((1, 2020)),), Classes(10, (2020,))), [10] * 9, 8, {}, 14_170),
    ("JSB", Spec((Real((88, None)),), Real((88, None))), [150] * 2, 3, {}, 269_938),
    ("Nottingham", Spec((Real((88, None)),), Real((88, None))), [150] * 4, 6, {}, 1_053_238),
    ("Nottingham, code", Spec((Real((88, None)),), Real((88, None))), [150] * 4, 5, {}, 882_538),
    (
        "PTB words",
        Spec((Classes(10_000, (None,)),), Classes(10_000, (None,))),
        [600] * 4,
        3,
        {"embedding": 600, "tied": True},
        14_659_600,
    ),
    (  # the last block is as wide as a token's vector, which the output matrix is tied to
        "PTB characters",
        Spec((Classes(50, (None,)),), Classes(50, (None,))),
        [450, 450, 100],
        3,
        {"embedding": 100, "tied": True},
        2_222_100,
    ),
]


@pytest.mark.parametrize(
    ("spec", "channels", "kernel_size", "changed", "count"),
    [row[1:] for row in SIZES],
    ids=[row[0] for row in SIZES],
)
def test_tcn_parameter_count_matches_paper(spec, channels, kernel_size, changed, count):
    with torch.device("meta"):
        model = TCN(spec, **HYPER | {"channels": channels, "kernel_size": kernel_size} | changed)
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_tcn_yaml_matches_paper_sequential_mnist():
    node = yaml.safe_load((Path(__file__).parents[2] / "conf/model/tcn.yaml").read_text())
    hyper = {key: value for key, value in node.items() if key not in ("_target_", "scales")}
    model = TCN(Spec((Real((1, 784)),), Classes(10)), **hyper)
    assert sum(parameter.numel() for parameter in model.parameters()) == 66_910
    assert model.receptive_field == 3061


def test_tcn_initialization_matches_authors_code():
    model = tcn(Spec((Real((64, None)),), Real((64,))), channels=[128])
    assert model.head.linear.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert model.blocks[0].shortcut.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert model.blocks[0].first.taps.weight.std().item() > 0.03


@pytest.mark.parametrize("spec", [LAST, STEPS], ids=["last", "steps"])
def test_tcn_dropout_in_training_only(spec):
    model, x = tcn(spec, dropout=0.5), torch.randn(2, 2, 20, dtype=torch.double)
    assert not torch.equal(model(x), model(x))
    model.eval()
    torch.testing.assert_close(model(x), plain(model, x))


@pytest.mark.parametrize(("noise", "whole"), [("element", False), ("channel", True)])
def test_tcn_dropout_zeroes_elements_or_channels(noise, whole):
    model = positive(tcn(STEPS, channels=[16], dropout=0.5, noise=noise))
    outputs = []
    model.blocks[0].noise.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    model(torch.rand(4, 2, 30, dtype=torch.double))
    for kept in (output != 0 for output in outputs):
        assert 0.3 < kept.double().mean() < 0.7
        assert (kept.all(-1) | ~kept.any(-1)).all() == whole


def test_tcn_tied_weights_are_one_matrix():
    model = tcn(WORDS, channels=[4, 5], tied=True)
    assert model.head.linear.weight is model.front.tokens.weight


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kernel_size", 0),
        ("kernel_size", 1),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("embedding_dropout", 1.5),
        ("channels", []),
        ("channels", [4, 0]),
        ("noise", "time"),
    ],
)
def test_tcn_rejects_values_out_of_range(key, value):
    with pytest.raises(UsageError) as raised:
        tcn(STEPS, **{key: value})
    assert raised.value.code == "invalid_value"
    assert (raised.value.fields["key"], raised.value.fields["got"]) == (f"model.{key}", value)


def test_tcn_requires_tokens_for_tied_weights():
    with pytest.raises(UsageError) as raised:
        tcn(STEPS, tied=True)
    assert (raised.value.code, raised.value.fields["key"]) == ("requires", "model.tied=true")


@pytest.mark.parametrize(
    ("spec", "subject"),
    [
        (Spec((Real((1, 28, 28)),), Classes(10)), "TCN"),
        (Spec((Real((2, 9)), Real((2, 9))), Classes(10)), "TCN"),
        (Spec((Real((2, 9)),), Classes(2, (9, 9))), "a sequence model"),
    ],
)
def test_tcn_rejects_other_inputs_and_targets(spec, subject):
    with pytest.raises(Mismatch) as raised:
        tcn(spec)
    assert (raised.value.code, raised.value.fields["subject"]) == ("mismatch", subject)
