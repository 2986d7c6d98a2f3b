"""Full-batch optimization with closures."""

import pytest
import torch
from helpers.lines import ROWS, Lines, Supervised, adam, gradient, lbfgs, network, player, through_file, values, weights
from torch import nn

from dlcli.core.errors import UsageError
from dlcli.learners.closure import Closure


def closure(model, task=None, *, optimizer=lbfgs, precision="float32", objective=Supervised):
    return Closure(
        model, task or Lines(), objective=objective, optimizer=optimizer, parts=None, seed=3, precision=precision,
        compile=False,
    )  # fmt: skip


@pytest.mark.parametrize(("line_search", "tolerance"), [(None, 1e-10), ("strong_wolfe", 1e-8)])
def test_lbfgs_in_float64_reaches_the_least_squares_optimum(line_search, tolerance):
    """A line search compares losses, whose rounding limits the weights to the square root of the precision."""

    def exact(parameters):
        options = {"tolerance_grad": 1e-14, "tolerance_change": 0.0, "line_search_fn": line_search}
        return torch.optim.LBFGS(parameters, **options)

    torch.manual_seed(0)
    task, model = Lines(torch.float64), nn.Linear(4, 1).double()
    learner = closure(model, task, precision="float64", optimizer=exact)
    for _ in range(3):
        learner.step()
    design = torch.cat((task.x, torch.ones(ROWS, 1, dtype=torch.float64)), 1)
    optimum = torch.linalg.lstsq(design, task.y).solution[:, 0]
    found = torch.cat((model.weight[0], model.bias)).detach()
    assert float((found - optimum).abs().max()) < tolerance


def test_gradient_is_that_of_the_whole_split_with_uneven_batches():
    task, model = Lines(), nn.Linear(4, 1)
    loss = (model(task.x) - task.y).square().mean()
    gradients, expected = torch.autograd.grad(loss, list(model.parameters())), loss.detach()
    learner = closure(model, task, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.0))
    row = learner.step()
    assert float(row.values["loss"]) == pytest.approx(float(expected), rel=1e-6)
    for parameter, gradient_ in zip(model.parameters(), gradients, strict=True):
        assert torch.allclose(parameter.grad, gradient_, atol=1e-6)
    assert row.counts == {"updates": 1, "evaluations": 1, "batches": 7, "samples": ROWS}


def test_every_evaluation_is_counted():
    counts = closure(network()).step().counts
    assert counts["evaluations"] > 1
    assert counts["batches"] == 7 * counts["evaluations"]
    assert counts["samples"] == ROWS * counts["evaluations"]


def test_random_layers_draw_the_same_values_within_a_step():
    losses = []

    class Watched(Supervised):
        def __call__(self, model, batch, carry=None):
            loss = super().__call__(model, batch, carry)
            losses.append(float(loss.value.detach()))
            return loss

    def twice(parameters):
        made = torch.optim.SGD(parameters, lr=0.0)
        step = made.step
        made.step = lambda evaluate: (evaluate(), step(evaluate))
        return made

    learner = closure(network(), optimizer=twice, objective=Watched)
    learner.step()
    first = losses[:14]
    assert first[:7] == first[7:]
    learner.step()
    assert losses[14:21] != first[:7]


@pytest.mark.parametrize("optimizer", [lbfgs, adam])
@pytest.mark.parametrize("cut", [1, 3])
def test_resume_is_bit_exact(cut, optimizer):
    whole, first, second = (closure(network(), optimizer=optimizer) for _ in range(3))
    rows = [values(whole.step()) for _ in range(5)]
    for _ in range(cut):
        first.step()
    second.load_state_dict(through_file(first.state_dict()))
    assert [values(second.step()) for _ in range(cut, 5)] == rows[cut:]
    assert torch.equal(weights(second.model), weights(whole.model))


def test_gradient_refuses_an_optimizer_that_requires_a_closure():
    with pytest.raises(UsageError) as error:
        gradient(network(), Lines(), optimizer=lbfgs)
    assert error.value.code == "unsupported"
    assert "LBFGS" in error.value.fields["feature"]
    assert "learner=closure" in error.value.fields["hint"]


def test_closure_refuses_float16():
    with pytest.raises(UsageError) as error:
        closure(network(), precision="float16")
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "precision")


def test_objective_receives_its_pace_before_each_use():
    made = []

    def objective(task):
        made.append(Supervised(task))
        return made[0]

    learner = gradient(network(), Lines(), players={"model": player(objective=objective, repeats=2, accumulate=2)})
    for _ in range(2):
        learner.step()
    assert made[0].paces == [(0, 0), (0, 0), (1, 1), (1, 1), (2, 0), (2, 0), (3, 1), (3, 1)]
