"""Recurrent state between batches, and comparison of scores."""

import pytest
import torch
from torch import nn

from dlcli.core.metric import Goal
from dlcli.core.task import Batch, call, detach_carry, merge_carry, move_carry

NAN = float("nan")


class Summing(nn.Module):
    """Recurrent model: the carry is the weighted sum of all inputs."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def start(self, batch):
        return torch.zeros(batch, 1)

    def forward(self, x, carry=None):
        total = x.sum(1, keepdim=True) * self.weight + (0 if carry is None else carry)
        return total if carry is None else (total, total)


def batch(values, first):
    x = torch.tensor(values)[:, None]
    return Batch((x,), x, torch.tensor(first), 0, 0, torch.arange(len(x)))


def test_call_restarts_the_carry_of_first_rows():
    model = Summing()
    _, carry = call(model, batch([1.0, 2.0], [True, True]), torch.tensor([[100.0], [100.0]]))
    assert carry.flatten().tolist() == [1, 2]
    output, carry = call(model, batch([10.0, 20.0], [True, False]), carry)
    assert output.flatten().tolist() == [10, 22]
    assert carry.flatten().tolist() == [10, 22]


def test_call_detaches_the_carry_and_not_the_output():
    output, carry = call(Summing(), batch([1.0], [True]))
    assert output.requires_grad
    assert not carry.requires_grad


def test_call_of_model_without_memory_has_no_carry():
    output, carry = call(nn.Identity(), batch([3.0], [True]))
    assert output.item() == 3
    assert carry is None


def test_merge_keeps_nested_tuples_and_lists():
    first = torch.tensor([True, False])
    fresh = (torch.zeros(2, 3), [torch.zeros(2), None])
    old = (torch.ones(2, 3), [torch.ones(2), None])
    merged = merge_carry(first, fresh, old)
    assert isinstance(merged, tuple)
    assert isinstance(merged[1], list)
    assert merged[0].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert merged[1][0].tolist() == [0, 1]
    assert merged[1][1] is None


def test_detach_and_move_keep_the_structure():
    carry = [torch.ones(2, requires_grad=True) * 2, (None, torch.zeros(1))]
    cut = detach_carry(carry)
    assert not cut[0].requires_grad
    moved = move_carry(cut, torch.device("meta"))
    assert (moved[0].device.type, moved[1][0], moved[1][1].device.type) == ("meta", None, "meta")
    assert detach_carry(None) is None


@pytest.mark.parametrize(
    ("direction", "new", "old", "better"),
    [
        ("min", 1.0, 2.0, True), ("min", 2.0, 1.0, False), ("min", 1.0, 1.0, False),
        ("max", 1.0, 2.0, False), ("max", 2.0, 1.0, True), ("max", 2.0, 2.0, False),
        ("min", 5.0, None, True), ("max", NAN, None, False), ("min", NAN, 1.0, False), ("max", 1.0, NAN, True),
    ],
)  # fmt: skip
def test_goal_better_is_strict_and_false_for_nan(direction, new, old, better):
    assert Goal("score", direction).better(new, old) is better
