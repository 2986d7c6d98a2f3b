"""Metrics: direction, selection, and the entries of run.json."""

import subprocess
import sys
from typing import ClassVar

import pytest
import torch
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.core.evaluation import describe_metrics, score
from dlcli.core.metric import Derived, Goal, Metric, PerModel, PerSplit, choose
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Baseline, Batch, Metrics, Score, declared_metrics, select_metrics

SIZES = (3, 5, 1, 4)
MSE, MAE = Metric("mse", "min"), Metric("mae", "min")
RMSE = Metric("rmse", "min", compute=Derived(lambda means: means["mse"] ** 0.5, ("mse",)))


class Named:
    """Batches of 3, 5, 1 and 4 rows with metrics whose names do not imply a direction."""

    main = Goal("psnr", "max")
    spec = Spec((Real((1,)),), Real((1,)))
    fitted: ClassVar = {}
    reported = (
        Metric("psnr", "max", "dB"),
        Metric("return", "max", "reward", baseline=3.5),
        Metric("precision_loss", "min"),
    )

    def __init__(self):
        self.values = torch.arange(1.0, 1 + sum(SIZES))[:, None]

    def size(self, split):
        return len(SIZES)

    def batch(self, split, index):
        begin = sum(SIZES[:index])
        x = self.values[begin : begin + SIZES[index]]
        return Batch((x,), x, torch.ones(len(x), dtype=torch.bool), index, 0, torch.arange(len(x)) + begin)

    def metrics(self, model, batch, carry=None):
        output = model(*batch.inputs)[:, 0]
        return Metrics({metric.name: Score(output, torch.ones_like(output)) for metric in self.reported[:3]})

    def baseline(self):
        return Baseline("half", nn.Linear(1, 1, bias=False).requires_grad_(False).apply(self._half))

    @staticmethod
    def _half(layer):
        layer.weight.fill_(0.5)

    def to(self, device):
        return self


def test_metric_info_has_declared_direction_unit_and_measured_baseline():
    described = describe_metrics(Named(), "test")
    mean = (1 + sum(SIZES)) / 2
    assert described["baseline"] == "half"
    assert described["metric_info"] == {
        "psnr": {"direction": "max", "unit": "dB", "baseline": mean / 2},
        "return": {"direction": "max", "unit": "reward", "baseline": 3.5},
        "precision_loss": {"direction": "min", "unit": "", "baseline": mean / 2},
    }


def test_declared_metrics_of_task_without_declaration_are_its_main_metric():
    class Plain:
        main, spec, fitted = Goal("loss", "min"), Named.spec, Named.fitted
        size, batch, metrics, to = Named.size, Named.batch, Named.metrics, Named.to

    assert declared_metrics(Plain()) == {"loss": Metric("loss", "min")}


def test_baseline_that_is_not_finite_is_null():
    assert Metric("nll", "min").info(float("inf"))["baseline"] is None
    assert Metric("nll", "min").info(float("nan"))["baseline"] is None


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_declared_baseline_must_be_finite(value):
    with pytest.raises(UsageError) as error:
        Metric("nll", "min", baseline=value)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "baseline of the metric nll")


def test_selection_applies_to_tasks_that_report_values_themselves():
    task = select_metrics(Named(), ["return"])
    assert [metric.name for metric in task.reported] == ["psnr", "return"]
    assert {*score(nn.Identity(), task, "valid")} == {"psnr", "return"}
    assert {*describe_metrics(task, "valid")["metric_info"]} == {"psnr", "return"}
    assert len(Named().reported) == 3
    with pytest.raises(UsageError) as error:
        select_metrics(Named(), ["retrun"])
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "retrun")


def test_whole_metric_is_computed_once_and_may_enable_gradients():
    calls = []

    def energy(model, task, split):
        calls.append((split, torch.is_grad_enabled()))
        with torch.enable_grad():
            x = torch.ones(1, requires_grad=True)
            return torch.autograd.grad((x * x).sum(), x)[0].item()

    class Generative(Named):
        reported = (*Named.reported, Metric("log_z", "max", "nats", PerModel(energy)))

    assert score(nn.Identity(), Generative(), "valid")["log_z"] == 2.0
    assert calls == [("valid", False)]
    info = describe_metrics(Generative(), "valid")["metric_info"]["log_z"]
    assert (info["baseline"], len(calls)) == (None, 1)


def test_score_allows_models_to_enable_gradients():
    class Descends(nn.Module):
        def forward(self, x):
            with torch.enable_grad():
                y = x.detach().clone().requires_grad_()
                return torch.autograd.grad((y**2).sum(), y)[0]

    scores = score(Descends(), Named(), "valid")
    assert scores["psnr"] == pytest.approx(1 + sum(SIZES))


def test_per_split_metric_sees_all_units_in_order():
    seen = []

    class Collecting(Named):
        reported = (*Named.reported, Metric("spread", "min", compute=PerSplit(lambda o, t: seen.append((o, t)) or 7.0)))

        def metrics(self, model, batch, carry=None):
            result = super().metrics(model, batch, carry)
            return Metrics(result.values, collected=(model(*batch.inputs), batch.target))

    assert score(nn.Identity(), Collecting(), "valid")["spread"] == 7.0
    assert torch.equal(seen[0][0], Collecting().values)


@pytest.mark.parametrize(
    ("names", "reported"),
    [(None, ["mse", "mae"]), (["rmse"], ["mse", "rmse"]), (["mae"], ["mse", "mae"]), ([], ["mse"])],
)
def test_choose_keeps_main_metric_and_what_others_derive_from(names, reported):
    assert [metric.name for metric in choose([MSE, MAE, RMSE], ["mse", "mae"], "mse", names)] == reported


def test_choose_rejects_unknown_metric_and_names_the_available_ones():
    with pytest.raises(UsageError) as error:
        choose([MSE, MAE], ["mse"], "mse", ["aucc"])
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "aucc")
    assert "mse, mae" in error.value.fields["hint"]


def test_choose_rejects_a_string():
    with pytest.raises(UsageError) as error:
        choose([MSE], ["mse"], "mse", "mse")
    assert error.value.fields["key"] == "task.metrics"


def test_metric_module_imports_no_torch():
    code = "import sys, dlcli.core.metric; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
