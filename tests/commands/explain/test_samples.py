"""What `--explain` looks at: rows at equal distances, in words."""

import pytest
import torch
from torch import nn

from dlcli.commands.explain.samples import check, subject
from dlcli.core.errors import Mismatch
from dlcli.core.spec import Classes, Labels, Real, Spec
from dlcli.tasks.arrays import Arrays, ArrayTask
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.regression import Regression


def task(spec, target, targets=None):
    x = torch.zeros(len(target), *(part or 3 for part in spec.inputs[0].shape))
    x.flatten(1)[:, 0] = torch.arange(len(target))
    arrays = Arrays((x,), target)
    return ArrayTask({"train": arrays, "test": arrays}, spec, targets or Classification(list("abc")), batch=2, order=0)


class Thirds(nn.Module):
    """Row number modulo three, surely."""

    def forward(self, x):
        return 10 * torch.eye(3)[x.flatten(1)[:, 0].long() % 3]


IMAGE = (Real((1, 4, 4)),)


def test_select_samples_reads_all_batches():
    made = task(Spec(IMAGE, Classes(3)), torch.arange(20) // 7)
    seen = subject("x", Thirds(), made, [8, 8, 4], 5)
    assert [one["row"] for one in seen.facts] == [0, 4, 8, 12, 16]
    assert seen.x.flatten(1)[:, 0].tolist() == [0, 4, 8, 12, 16]
    assert [one["true"] for one in seen.facts] == [["a"], ["a"], ["b"], ["b"], ["c"]]
    assert "".join(one["predicted"] for one in seen.facts) == "abcab"
    assert seen.unit.tolist() == [0, 1, 2, 0, 1]
    assert all(one["probability"] > 0.99 for one in seen.facts)
    assert len(subject("x", Thirds(), made, [8, 8, 4], 99).facts) == 20


def test_select_samples_accepts_multiple_labels():
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    seen = subject("x", Thirds(), task(Spec(IMAGE, Labels(3)), target), [2], 2)
    assert [one["true"] for one in seen.facts] == [["a", "c"], []]
    assert [one["right"] for one in seen.facts] == [False, False]
    check(task(Spec(IMAGE, Labels(3)), target))


class Falling(nn.Module):
    """a above b above c, for every row."""

    def forward(self, x):
        return torch.tensor([2.0, 1.0, 0.0]).expand(len(x), 3)


def test_multiple_labels_are_correct_if_they_rank_highest():
    target = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    seen = subject("x", Falling(), task(Spec(IMAGE, Labels(3)), target), [4], 4)
    assert [one["predicted"] for one in seen.facts] == ["a + b", "a + b", "a", "a"]
    assert [one["right"] for one in seen.facts] == [True, False, True, False]


@pytest.mark.parametrize(
    ("inputs", "target"),
    [
        (IMAGE, Real((1,))),
        ((Real((5,)),), Classes(3)),
        ((Classes(9, (4,)),), Classes(3)),
        ((*IMAGE, *IMAGE), Classes(3)),
        ((Real((1, 6)),), Classes(3, (6,))),
    ],
)
def test_check_rejects_other_tasks(inputs, target):
    made = task(Spec(IMAGE, Classes(3)), torch.zeros(4, dtype=torch.int64), Regression())
    made.spec = Spec(inputs, target)
    with pytest.raises(Mismatch, match=r"(?s)images.* sequences.*ArrayTask"):
        check(made)
