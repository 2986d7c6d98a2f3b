"""Metrics of a whole split equal scikit-learn's, on uneven batches and with unlabeled rows."""

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from torch import nn

from dlcli.core.evaluation import score
from dlcli.core.spec import IGNORED, Classes, Labels, Real, Spec
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.multi_label import MultiLabel
from dlcli.tasks.targets.regression import Regression

NAMES = [str(number) for number in range(7)]
ALL = ["accuracy", "nll", "balanced_accuracy", "f1_macro", "auc", "ece"]


def scores(x, target, part, targets, metrics, batch=3):
    arrays = TensorSamples((x,), target)
    spec = Spec((Real(tuple(x.shape[1:])),), part)
    task = InMemoryTask({"train": arrays, "test": arrays}, spec, targets, batch=batch, order=0, metrics=metrics)
    return score(nn.Identity(), task, "test")


def drawn(classes, samples=101):
    draw = torch.Generator().manual_seed(classes)
    return torch.randn(samples, classes, generator=draw), torch.randint(classes, (samples,), generator=draw)


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_classification_equals_scikit_learn(classes):
    x, target = drawn(classes)
    target[::5] = IGNORED
    names = NAMES[:classes]
    found = scores(x, target, Classes(classes), Classification(names), ALL)
    kept = target != IGNORED
    true, probability = target[kept].numpy(), x[kept].double().softmax(1).numpy()
    predicted = probability.argmax(1)
    more = {"multi_class": "ovr", "average": "macro"} if classes > 2 else {}
    assert found["auc"] == pytest.approx(sk.roc_auc_score(true, probability if more else probability[:, 1], **more))
    assert found["f1_macro"] == pytest.approx(sk.f1_score(true, predicted, average="macro"))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(true, predicted))
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(true, predicted))
    assert found["nll"] == pytest.approx(sk.log_loss(true, probability, labels=range(classes)), rel=1e-5)


def test_ece_equals_direct_computation_over_15_bins():
    x, target = drawn(3)
    found = scores(x, target, Classes(3), Classification(NAMES[:3]), ["ece"])["ece"]
    probability = x.double().softmax(1).numpy()
    confidence, right = probability.max(1), probability.argmax(1) == target.numpy()
    wanted = 0.0
    for low in np.linspace(0, 1, 16)[:-1]:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            wanted += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert found == pytest.approx(wanted)


def test_top5_exists_from_six_classes_on():
    x, target = drawn(7)
    found = scores(x, target, Classes(7), Classification(NAMES), ["top5"])["top5"]
    assert found == pytest.approx(sk.top_k_accuracy_score(target.numpy(), x.numpy(), k=5))
    assert "top5" not in {metric.name for metric in Classification(NAMES[:5]).available}


def test_auc_of_one_class_is_nan():
    x, _ = drawn(3)
    found = scores(x, torch.zeros(len(x), dtype=torch.int64), Classes(3), Classification(NAMES[:3]), ["auc"])
    assert np.isnan(found["auc"])


def test_steps_count_as_units():
    draw = torch.Generator().manual_seed(0)
    x, target = torch.randn(13, 3, 5, generator=draw), torch.randint(3, (13, 5), generator=draw)
    target[0, 2:] = IGNORED
    found = scores(x, target, Classes(3, (5,)), Classification(NAMES[:3]), ["f1_macro"])
    kept = target.flatten() != IGNORED
    predicted = x.argmax(1).flatten()[kept]
    assert found["f1_macro"] == pytest.approx(sk.f1_score(target.flatten()[kept], predicted, average="macro"))


def test_regression_equals_scikit_learn_in_units_of_the_data():
    draw = torch.Generator().manual_seed(0)
    x, target = torch.randn(29, 2, generator=draw), torch.randn(29, 2, generator=draw)
    found = scores(x, target, Real((2,)), Regression((10.0, 2.0), (5.0, 0.0)), ["mse", "mae", "rmse", "r2"])
    scale, shift = np.array([10.0, 2.0]), np.array([5.0, 0.0])
    true, predicted = target.numpy() * scale + shift, x.numpy() * scale + shift
    assert found["mse"] == pytest.approx(sk.mean_squared_error(true, predicted), rel=1e-5)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(true, predicted), rel=1e-5)
    assert found["rmse"] == pytest.approx(found["mse"] ** 0.5)
    assert found["r2"] == pytest.approx(sk.r2_score(true, predicted), rel=1e-4)


def test_multi_label_equals_scikit_learn():
    draw = torch.Generator().manual_seed(0)
    x, target = torch.randn(41, 4, generator=draw), torch.randint(2, (41, 4), generator=draw).float()
    found = scores(x, target, Labels(4), MultiLabel(NAMES[:4]), ["f1_macro", "f1_micro", "auc", "confident"])
    true, predicted = target.numpy(), (x > 0).numpy()
    assert found["f1_macro"] == pytest.approx(sk.f1_score(true, predicted, average="macro"))
    assert found["f1_micro"] == pytest.approx(sk.f1_score(true, predicted, average="micro"))
    assert found["auc"] == pytest.approx(sk.roc_auc_score(true, x.numpy(), average="macro"))
    assert found["confident"] == pytest.approx(sk.accuracy_score(true, predicted))
