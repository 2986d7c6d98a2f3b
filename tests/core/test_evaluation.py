"""Evaluation: weighted means over uneven batches, restored modes and random states."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from dlcli.core.evaluation import predict, score
from dlcli.core.metric import Derived, Goal, Metric, PerSplit
from dlcli.core.spec import Real, Spec
from dlcli.core.task import Batch, Metrics, Score

SIZES = (3, 5, 1, 4)


class Uneven:
    """Batches of 3, 5, 1 and 4 rows; the value of a row is its number of units."""

    main = Goal("error", "min")
    reported = (
        Metric("error", "min"),
        Metric("twice", "min", compute=Derived(lambda means: np.float64(2 * means["error"]), ("error",))),
    )
    spec = Spec((Real((1,)),), Real((1,)))
    fitted: ClassVar = {}

    def __init__(self):
        self.values = torch.randint(1, 9, (sum(SIZES), 1), generator=torch.Generator().manual_seed(0)).float()

    def size(self, split):
        return len(SIZES)

    def rows(self, split):
        return sum(len(self.batch(split, index)) for index in range(self.size(split)))

    def batch(self, split, index):
        begin = sum(SIZES[:index])
        x = self.values[begin : begin + SIZES[index]]
        return Batch((x,), x, torch.full((len(x),), index == 0), index, 0, torch.arange(len(x)) + begin)

    def metrics(self, model, batch, carry=None):
        output = model(*batch.inputs)[:, 0]
        return Metrics({"error": Score(output * batch.target[:, 0], batch.target[:, 0])}, (carry or 0) + 1)

    def loss(self, model, batch, carry=None):
        raise NotImplementedError

    def to(self, device):
        return self


class Collecting(Uneven):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.reported = (*Uneven.reported, Metric("rows", "max", compute=PerSplit(self.count)))

    def metrics(self, model, batch, carry=None):
        return replace(super().metrics(model, batch, carry), collected=(model(*batch.inputs), batch.target))

    def count(self, outputs, targets):
        self.calls.append((outputs, targets))
        return np.float64(len(outputs))


class Modes(nn.Module):
    """Dropout in training mode, with one module in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.dropout, self.frozen = nn.Dropout(0.5), nn.BatchNorm1d(1)
        self.train()
        self.frozen.eval()

    def forward(self, x):
        assert not self.training
        assert not self.dropout.training
        return self.dropout(x)


def test_score_of_uneven_batches_is_the_mean_over_the_split():
    task = Uneven()
    units = task.values.double()
    result = score(nn.Identity(), task, "valid")
    assert result["error"] == pytest.approx(float((units * units).sum() / units.sum()), rel=1e-12)
    assert result["twice"] == 2 * result["error"]


def test_score_returns_floats():
    result = score(nn.Identity(), Collecting(), "valid")
    assert {type(value) for value in result.values()} == {float}


def test_callback_receives_batches_in_order_once():
    task = Collecting()
    assert score(nn.Identity(), task, "valid")["rows"] == sum(SIZES)
    ((outputs, targets),) = task.calls
    assert torch.equal(outputs, task.values)
    assert torch.equal(targets, task.values)


def test_evaluating_restores_modes_after_an_error():
    model = Modes()
    score(model, Uneven(), "valid")
    assert (model.training, model.dropout.training, model.frozen.training) == (True, True, False)
    broken = Uneven()
    broken.metrics = lambda *given: 1 / 0
    with pytest.raises(ZeroDivisionError):
        score(model, broken, "valid")
    assert (model.training, model.dropout.training, model.frozen.training) == (True, True, False)
    model.eval()
    score(model, Uneven(), "valid")
    assert not any(module.training for module in model.modules())


def test_score_passes_the_carry_between_batches():
    seen = []

    class Watched(Uneven):
        def metrics(self, model, batch, carry=None):
            seen.append(carry)
            return super().metrics(model, batch, carry)

    score(nn.Identity(), Watched(), "valid")
    assert seen == [None, 1, 2, 3]


def test_score_of_stochastic_model_is_deterministic():
    class Drawing(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    torch.manual_seed(1)
    first = score(Drawing(), Uneven(), "valid")
    torch.manual_seed(2)
    assert score(Drawing(), Uneven(), "valid") == first


def test_score_builds_no_graph():
    class Asking(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x):
            output = x * self.weight
            assert not output.requires_grad
            return output

    score(Asking(), Uneven(), "valid")


def test_predict_returns_one_row_per_sample_in_order():
    class Telling(Uneven):
        def predictions(self, model, batch, carry=None):
            return {"sample": batch.index.tolist(), "carry": [carry or 0] * len(batch)}, (carry or 0) + 1

    task = Telling()
    result = predict(nn.Identity(), task, (task.batch("test", index) for index in range(4)))
    assert result["sample"] == list(range(sum(SIZES)))
    assert result["carry"] == [0] * 3 + [1] * 5 + [2] + [3] * 4


def test_score_allows_models_to_enable_gradients():
    class Descends(nn.Module):
        """The input after one gradient step on the energy x**2."""

        def forward(self, x):
            assert not torch.is_inference_mode_enabled()
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                (slope,) = torch.autograd.grad((x * x).sum(), x)
            return x - 0.25 * slope

    task = Uneven()
    halved = score(Descends(), task, "valid")["error"]
    assert halved == pytest.approx(score(nn.Identity(), task, "valid")["error"] / 2, rel=1e-6)
