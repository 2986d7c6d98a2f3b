import pytest
import torch
from torch import nn

from dlcli.models.sequence.tcn import CausalBlock, CausalConv, channels_last


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def block(inputs=3, width=3, noise=nn.Identity):
    return CausalBlock(inputs, width, kernel_size=3, dilation=4, noise=noise).double()


@pytest.mark.parametrize("channels", [1, 5])
def test_channels_last_memory_layout(channels):
    x = torch.randn(2, channels, 7)
    signal = channels_last(x)
    assert torch.equal(signal.squeeze(2), x)
    assert signal.stride(1) == 1
    assert signal.stride(3) == channels


def test_causal_conv_matches_hand_computation():
    conv = CausalConv(1, 1, kernel_size=3, dilation=2)
    x = torch.randn(1, 1, 9)
    taps, bias = conv.taps.weight.flatten(), conv.taps.bias
    before = torch.cat((torch.zeros(4), x[0, 0]))
    by_hand = torch.stack([taps[0] * before[t] + taps[1] * before[t + 2] + taps[2] * before[t + 4] for t in range(9)])
    torch.testing.assert_close(conv(channels_last(x))[0, 0, 0], by_hand + bias)


def test_causal_conv_weight_normalization_is_scale_invariant():
    conv = CausalConv(2, 3, kernel_size=4, dilation=1)
    x = channels_last(torch.randn(2, 2, 6))
    before = conv(x)
    length, direction = conv.taps.parametrizations.weight.original0, conv.taps.parametrizations.weight.original1
    torch.testing.assert_close(conv.taps.weight.flatten(1).norm(dim=1), length.flatten())
    direction.data.mul_(7)
    torch.testing.assert_close(conv(x), before)


def test_causal_conv_thinned_outputs_match_full_outputs():
    conv = CausalConv(2, 3, kernel_size=3, dilation=4).double()
    x = channels_last(torch.randn(2, 2, 23, dtype=torch.double))
    thin = conv.thinned(x[..., (23 - 1) % 4 :: 4], 3, stride=2)
    torch.testing.assert_close(thin, conv(x)[..., [22 - 16, 22 - 8, 22]])


def test_causal_block_with_zero_weights_is_relu():
    identity = block()
    for conv in (identity.first, identity.second):
        conv.taps.parametrizations.weight.original0.data.zero_()
        conv.taps.bias.data.zero_()
    x = channels_last(torch.randn(2, 3, 10, dtype=torch.double))
    assert torch.equal(identity(x), x.relu())


def test_causal_block_relu_after_sum():
    assert (block()(channels_last(-10 * torch.ones(1, 3, 9, dtype=torch.double))) >= 0).all()


def test_causal_block_shortcut_is_matrix_only_for_different_widths():
    assert not list(block(3, 3).shortcut.parameters())
    shortcut = block(64, 128).shortcut
    assert shortcut.weight.shape == (128, 64, 1, 1)
    assert shortcut.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_causal_block_dropout_after_convolutions_only():
    class Zero(nn.Module):
        def forward(self, x):
            return 0 * x

    x = channels_last(torch.randn(1, 3, 9, dtype=torch.double))
    assert torch.equal(block(noise=Zero)(x), x.relu())
    calls = []
    counted = block()
    counted.noise.register_forward_hook(lambda *_: calls.append(1))
    counted(x)
    assert len(calls) == 2
