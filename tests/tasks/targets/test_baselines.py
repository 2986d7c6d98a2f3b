"""Baselines against values computed by hand, one task of each kind; the adapter and custom targets."""

import math

import pytest
import torch
from torch import nn

from dlcli.core.evaluation import describe_metrics, score
from dlcli.core.metric import Metric, PerSample
from dlcli.core.spec import Classes, Labels, Real, Spec
from dlcli.core.task import Loss, Score
from dlcli.tasks.arrays import InMemoryTask, TensorSamples
from dlcli.tasks.control.maze.maze import HardMaze
from dlcli.tasks.sequence.adding import Adding
from dlcli.tasks.sequence.copy_memory import CopyMemory
from dlcli.tasks.sequence.csv_series import CsvSeries
from dlcli.tasks.targets.adapter import OutputTargets
from dlcli.tasks.targets.classification import Classification
from dlcli.tasks.targets.multi_label import MultiLabel
from dlcli.tasks.targets.protocol import Targets
from dlcli.tasks.text.text_file import TextFile

CSV = {
    "window": 3, "kind": "auto", "time": None, "group": None, "gaps": "break", "max_gap": 3, "missing": "ffill",
    "max_categories": 8, "fractions": [0.6, 0.2, 0.2], "batch": 8, "order": 0, "fitted": None,
}  # fmt: skip


def baselines(task, split="test"):
    return {name: one["baseline"] for name, one in describe_metrics(task, split)["metric_info"].items()}


def arrays(target, inputs=None):
    return TensorSamples((torch.zeros(len(target), 2) if inputs is None else inputs,), target)


def test_classification_baseline_is_majority_class_and_class_frequencies():
    splits = {"train": arrays(torch.tensor([0, 1, 1, 1])), "test": arrays(torch.tensor([1, 0, 0, 1, 1]))}
    task = InMemoryTask(splits, Spec((Real((2,)),), Classes(2)), Classification(["a", "b"]), batch=2, order=0)
    found = baselines(task)
    assert describe_metrics(task, "test")["baseline"] == "majority class"
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["nll"] == pytest.approx(-(3 * math.log(0.75) + 2 * math.log(0.25)) / 5)


def test_regression_baseline_is_training_mean():
    task = Adding(length=6, train=30, valid=4, test=7, batch=8, data_seed=0, order=0)
    mean = task.batch("train", 0)
    targets = torch.cat([task.batch("train", index).target for index in range(task.size("train"))])
    test = torch.cat([task.batch("test", index).target for index in range(task.size("test"))])
    assert mean.target.shape == (8, 1)
    assert baselines(task)["mse"] == pytest.approx(float((test - targets.mean()).square().mean()), rel=1e-5)


def test_multi_label_baseline_is_label_frequencies():
    target = torch.tensor([[1.0, 0], [1, 1], [1, 0], [0, 0]])
    splits = {"train": arrays(target), "test": arrays(torch.tensor([[1.0, 0.0]]))}
    task = InMemoryTask(splits, Spec((Real((2,)),), Labels(2)), MultiLabel(["a", "b"]), batch=2, order=0)
    assert baselines(task)["nll"] == pytest.approx(-(math.log(0.75) + math.log(0.75)) / 2, rel=1e-5)


def test_per_step_baseline_follows_length_of_input():
    task = CopyMemory(length=5, train=20, valid=4, test=4, batch=8, data_seed=0, order=0)
    found = baselines(task)
    assert found["recall"] == 0.0
    assert 0 < found["nll"] < math.log(10)


def test_forecast_baseline_is_last_value(tmp_path):
    path = tmp_path / "series.csv"
    path.write_text("level\n" + "\n".join(str(10.0 * step) for step in range(60)))
    task = CsvSeries(path=str(path), target="level", horizon=1, metrics=None, **CSV)
    found = baselines(task)
    assert describe_metrics(task, "test")["baseline"] == "last value"
    assert found["mse"] == pytest.approx(100.0, rel=1e-4)
    assert found["mse"] == pytest.approx(found["mse_last_value"], rel=1e-4)
    assert found["rmse"] == pytest.approx(10.0, rel=1e-4)


def test_forecast_metrics_of_the_last_value(tmp_path):
    path = tmp_path / "series.csv"
    path.write_text("level\n" + "\n".join(str(10.0 * step) for step in range(60)))
    task = CsvSeries(path=str(path), target="level", horizon=1, metrics=["mase", "smape", "r2"], **CSV)
    found = baselines(task)
    test = [float(value) for value in range(0, 600, 10)][-len(task.batch("test", 0)) :]
    assert found["mase"] == pytest.approx(1.0, rel=1e-4)
    wanted = sum(200 * 10 / (2 * value - 10) for value in test) / len(test)
    assert found["smape"] == pytest.approx(wanted, rel=1e-3)


def test_label_baseline_is_majority_of_training_windows(tmp_path):
    path = tmp_path / "series.csv"
    path.write_text("x,label\n" + "\n".join(f"{step},{'ab'[step % 3 == 0]}" for step in range(90)))
    task = CsvSeries(path=str(path), target="label", horizon=1, metrics=None, **(CSV | {"time": "row"}))
    found = baselines(task)
    assert found["accuracy"] == pytest.approx(found["baseline_accuracy"])
    assert found["accuracy"] == pytest.approx(2 / 3, abs=0.06)


def test_language_baseline_is_unigram_model(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("aab" * 200)
    task = TextFile(
        path=str(path), unit="char", newline="\n", fractions=[0.6, 0.2, 0.2], min_count=1, batch=2, context=0,
        length=10, fitted=None,
    )  # fmt: skip
    found = baselines(task)
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert describe_metrics(task, "test")["baseline"] == "unigram"
    assert found["nll"] == pytest.approx(entropy, rel=0.03)
    assert found["perplexity"] == pytest.approx(math.exp(found["nll"]))


def test_environment_baseline_is_random_policy_over_ten_episodes():
    task = HardMaze(episodes=1, valid_episodes=1, test_episodes=12, lanes=4)
    first, second = baselines(task), baselines(task)
    assert first == second
    assert first["success_rate"] == 0.0
    assert first["return"] == pytest.approx(-first["distance"])


class Energy(nn.Module):
    """A model whose loss is a property of the model, not of an output."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def free_energy(self, x):
        return self.scale * x.square().sum(1)


class FreeEnergy:
    """Targets that query the model directly."""

    main = "free_energy"
    default = ("free_energy",)

    def __init__(self):
        self.available = (Metric("free_energy", "min", "nats", PerSample(self._score)),)

    def _score(self, model, batch, output):
        return Score(output, torch.ones_like(output))

    def loss(self, model, batch):
        return Loss(model.free_energy(*batch.inputs).mean(), {}, float(len(batch)))

    def output(self, model, batch):
        return model.free_energy(*batch.inputs)

    def columns(self, model, batch):
        return {"free_energy": self.output(model, batch).tolist()}


def test_targets_are_queried_with_model_and_batch():
    x = torch.arange(10.0).view(5, 2)
    splits = {"train": arrays(torch.zeros(5, 1), x), "test": arrays(torch.zeros(5, 1), x)}
    task = InMemoryTask(splits, Spec((Real((2,)),), Real((1,))), FreeEnergy(), batch=2, order=0)
    model = Energy()
    assert isinstance(task.targets, Targets)
    assert score(model, task, "test")["free_energy"] == pytest.approx(float(2 * x.square().sum(1).mean()))
    task.loss(model, task.batch("train", 0)).value.backward()
    assert model.scale.grad is not None
    assert baselines(task) == {"free_energy": None}


def test_adapter_adds_metrics_that_query_the_model():
    def depth(model, batch, output):
        return Score(torch.full((len(batch),), float(len(list(model.modules())))), torch.ones(len(batch)))

    extra = Metric("modules", "min", "", PerSample(depth))
    targets = OutputTargets(Classification(["a", "b"]), extra=(extra,))
    splits = {"train": arrays(torch.tensor([0, 1])), "test": arrays(torch.tensor([0, 1, 1]))}
    task = InMemoryTask(splits, Spec((Real((2,)),), Classes(2)), targets, batch=2, order=0)
    assert score(nn.Identity(), task, "test")["modules"] == 1.0
