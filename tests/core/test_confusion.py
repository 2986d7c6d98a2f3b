"""Confusion matrix: agreement with scikit-learn, and supported tasks."""

import torch
from sklearn.metrics import confusion_matrix
from torch import nn

from dlcli.core.confusion import ConfusionMatrix
from dlcli.core.evaluation import score
from dlcli.core.spec import IGNORED, Classes, Real, Spec
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.regression import Regression

NAMES = ["cat", "dog", "eel", "fox"]


def task(samples=103, batch=7):
    draw = torch.Generator().manual_seed(0)
    x, target = torch.randn(samples, 4, generator=draw), torch.randint(3, (samples,), generator=draw)  # no class 3
    arrays = TensorSamples((x,), target)
    spec = Spec((Real((4,)),), Classes(4))
    return InMemoryTask({"train": arrays, "test": arrays}, spec, Classification(NAMES), batch=batch, order=0), x, target


def test_confusion_matrix_matches_scikit_learn_over_uneven_batches():
    problem, x, target = task()
    table = ConfusionMatrix.of(problem)
    scores = score(nn.Identity(), problem, "test", table.see)
    expected = confusion_matrix(target, x.argmax(1), labels=range(4))
    assert table.counts.tolist() == expected.tolist()
    assert scores["accuracy"] == table.counts.diagonal().sum().item() / 103
    assert table.rows().columns == ["true", *NAMES]
    assert [list(row) for row in table.rows().rows] == [
        [name, *row] for name, row in zip(NAMES, expected.tolist(), strict=True)
    ]


def test_confusion_matrix_ignores_rows_without_a_class():
    problem, _, target = task()
    target[::2] = IGNORED
    table = ConfusionMatrix.of(problem)
    score(nn.Identity(), problem, "test", table.see)
    assert table.counts.sum() == 51


def test_batch_callback_changes_no_score():
    problem, _, _ = task()
    assert score(nn.Identity(), problem, "test") == score(
        nn.Identity(), problem, "test", ConfusionMatrix.of(problem).see
    )


def test_confusion_matrix_is_none_for_regression_and_sequences():
    arrays = TensorSamples((torch.zeros(4, 1),), torch.zeros(4, 1))
    real = InMemoryTask({"train": arrays}, Spec((Real((1,)),), Real((1,))), Regression(), batch=2, order=0)
    assert ConfusionMatrix.of(real) is None
    steps = TensorSamples((torch.zeros(4, 1, 5),), torch.zeros(4, 5, dtype=torch.int64))
    spec = Spec((Real((1, 5)),), Classes(2, (5,)))
    assert (
        ConfusionMatrix.of(InMemoryTask({"train": steps}, spec, Classification(["a", "b"]), batch=2, order=0)) is None
    )
