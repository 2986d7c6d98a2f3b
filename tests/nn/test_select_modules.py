"""Selection of modules for dropout and the layout of their inputs."""

import pytest
import torch
from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.nn.recurrent.network import RecurrentLayer, StackedLayers
from dlcli.nn.stochastic.dropout import ResidualBranch
from dlcli.nn.stochastic.select_modules import batch_first_axes, check_kinds, select_modules


class Cell(RecurrentLayer):
    """A recurrent layer with a linear one inside."""

    def __init__(self, width, hidden):
        super().__init__()
        self.width, self.inner = hidden, nn.Linear(width, hidden)

    def start(self, batch):
        return torch.zeros(batch, self.width)

    def forward(self, x, carry):
        return self.inner(x), carry


def test_select_modules_counts_recurrent_layers_as_single_modules():
    model = nn.ModuleList([StackedLayers(2, Cell, hidden=3, layers=2, dropout=0.0), nn.Linear(3, 1)])
    assert select_modules(model, ["recurrent"]) == list(model[0].layers)
    assert select_modules(model, ["linear"]) == [model[1]]


def test_select_modules_removes_duplicates():
    linear, conv = nn.Linear(2, 2), nn.Conv2d(1, 1, 3)
    model = nn.Sequential(linear, ResidualBranch(linear, conv), nn.LSTM(2, 2))
    assert select_modules(model, ["linear", "convolution"]) == [linear, conv]
    assert select_modules(model, ["branch"]) == [model[1]]
    assert select_modules(model, ["recurrent"]) == [model[2]]


CASES = [
    (nn.Linear(1, 1), (7, 9), [0, 1]),
    (nn.Linear(1, 1), (7, 5, 9), [0, 2, 1]),
    (nn.Linear(1, 1), (7, 5, 6, 9), [0, 3, 1, 2]),
    (nn.Linear(1, 1), (5, 7, 9), [1, 2, 0]),  # time first, as its second axis is as long as the batch
    (nn.Conv2d(1, 1, 1), (7, 9, 5, 6), [0, 1, 2, 3]),
    (nn.LSTM(1, 1), (5, 7, 9), [1, 2, 0]),
    (nn.LSTM(1, 1, batch_first=True), (7, 5, 9), [0, 2, 1]),
    (nn.LSTM(1, 1), (7, 7, 9), [1, 2, 0]),
]


@pytest.mark.parametrize(("module", "shape", "wanted"), CASES)
def test_batch_first_axes_order(module, shape, wanted):
    assert batch_first_axes(module, torch.zeros(shape), 7) == wanted


def test_select_modules_rejects_missing_and_unknown_kinds():
    with pytest.raises(Mismatch) as raised:
        select_modules(nn.ReLU(), ["linear", "convolution"])
    assert raised.value.fields["got"] == "ReLU"
    with pytest.raises(UsageError) as raised:
        check_kinds(["liner"])
    assert (raised.value.code, raised.value.fields["name"]) == ("unknown_name", "liner")
    with pytest.raises(UsageError) as raised:
        check_kinds([])
    assert raised.value.fields["key"] == "objective.modules"
