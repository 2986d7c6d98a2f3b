"""Selection of the samples for `show --explain`."""

import pytest
import torch
from torch import nn

from dlcli.commands.explain.samples import check, select_samples
from dlcli.core.errors import Mismatch
from dlcli.core.spec import Classes, Labels, Real, Spec
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.regression import Regression


def task(spec, target, targets=None):
    x = torch.zeros(len(target), *(part or 3 for part in spec.inputs[0].shape))
    x.flatten(1)[:, 0] = torch.arange(len(target))
    arrays = TensorSamples((x,), target)
    return InMemoryTask(
        {"train": arrays, "test": arrays}, spec, targets or Classification(list("abc")), batch=2, order=0
    )


class Thirds(nn.Module):
    """Predicts the row number modulo three with high confidence."""

    def forward(self, x):
        return 10 * torch.eye(3)[x.flatten(1)[:, 0].long() % 3]


IMAGE = (Real((1, 4, 4)),)


def test_select_samples_reads_all_batches():
    classification = task(Spec(IMAGE, Classes(3)), torch.arange(20) // 7)
    samples = select_samples("x", Thirds(), classification, [8, 8, 4], 5)
    assert [sample["row"] for sample in samples.facts] == [0, 4, 8, 12, 16]
    assert samples.x.flatten(1)[:, 0].tolist() == [0, 4, 8, 12, 16]
    assert [sample["true"] for sample in samples.facts] == [["a"], ["a"], ["b"], ["b"], ["c"]]
    assert "".join(sample["predicted"] for sample in samples.facts) == "abcab"
    assert samples.unit.tolist() == [0, 1, 2, 0, 1]
    assert all(sample["probability"] > 0.99 for sample in samples.facts)
    assert len(select_samples("x", Thirds(), classification, [8, 8, 4], 99).facts) == 20


def test_select_samples_accepts_multiple_labels():
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    samples = select_samples("x", Thirds(), task(Spec(IMAGE, Labels(3)), target), [2], 2)
    assert [sample["true"] for sample in samples.facts] == [["a", "c"], []]
    assert [sample["right"] for sample in samples.facts] == [False, False]
    check(task(Spec(IMAGE, Labels(3)), target))


class Falling(nn.Module):
    """Ranks a above b above c for every row."""

    def forward(self, x):
        return torch.tensor([2.0, 1.0, 0.0]).expand(len(x), 3)


def test_multiple_labels_are_correct_if_they_rank_highest():
    target = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    samples = select_samples("x", Falling(), task(Spec(IMAGE, Labels(3)), target), [4], 4)
    assert [sample["predicted"] for sample in samples.facts] == ["a + b", "a + b", "a", "a"]
    assert [sample["right"] for sample in samples.facts] == [True, False, True, False]


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
    regression = task(Spec(IMAGE, Classes(3)), torch.zeros(4, dtype=torch.int64), Regression())
    regression.spec = Spec(inputs, target)
    with pytest.raises(Mismatch) as error:
        check(regression)
    assert (error.value.code, error.value.fields["subject"]) == ("mismatch", "--explain")
    assert "InMemoryTask" in error.value.fields["got"]
