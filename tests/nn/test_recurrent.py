"""Stacked recurrent layers: dropout between layers, one carry per layer."""

import torch

from dlcli.nn.recurrent.network import RecurrentLayer, StackedLayers


class Counter(RecurrentLayer):
    """Hands its input on and counts the steps it has seen."""

    def __init__(self, width, hidden):
        super().__init__()
        self.width = hidden

    def start(self, batch):
        return torch.zeros(batch, 1)

    def forward(self, x, carry):
        return x, carry + len(x)


def run(layers, dropout):
    torch.manual_seed(0)
    stack = StackedLayers(50, Counter, hidden=50, layers=layers, dropout=dropout)
    return stack(torch.ones(20, 4, 50), stack.start(4))


def test_stacked_layers_dropout_is_between_layers_only():
    alone, _ = run(1, 0.5)
    assert (alone == 1).all()
    two, _ = run(2, 0.5)
    assert sorted(two.unique().tolist()) == [0.0, 2.0]
    assert abs((two == 0).double().mean().item() - 0.5) < 0.05


def test_stacked_layers_carry_is_per_layer():
    _, carry = run(3, 0.0)
    assert len(carry) == 3
    assert all((part == 20).all() and part.shape == (4, 1) for part in carry)
