"""Combinations of tasks, models and learners: pairs from different families take a step, or raise a usage error."""

import math

import pytest
import torch

from dlcli.config import build
from dlcli.config.budget import solve_budget
from dlcli.config.compose import expand
from dlcli.core.errors import UsageError

CPU = torch.device("cpu")
SMALL = ("learner.population=8", "learner.chunk=8")


def built(command, *overrides):
    (point,) = expand(command, overrides)
    return build.build(solve_budget(point.resolved()), CPU)


@pytest.mark.parametrize(
    ("command", "overrides"),
    [
        ("train", ("mlp_digits", "learner=genetic", *SMALL, "learner.parents=2", "learner.candidates=2")),
        ("train", ("mlp_digits", "learner=evolution_strategy", *SMALL)),
        ("train", ("capsnet_digits", "model=cnn", "objective=supervised")),
        ("train", ("mlp_digits_dropout", "model=gru", "task=sequential_digits")),
        ("train", ("tcn", "learner=snes", *SMALL, "model.channels=[4,4]")),
        ("train", ("adding_tcn", "model=lstm", "objective=mixup")),
        ("evolve", ("novelty", "learner=a2c")),
        ("evolve", ("dqn", "learner=genetic", "learner.population=8", "learner.parents=2", "model=gru_policy")),
        ("evolve", ("ga", "learner=nsr_es", *SMALL)),
        ("train", ("mlp_digits_smoothing", "learner=closure", "lr=1.0")),
        ("train", ("ridge", "model=mlp", "learner=closure", "task=digits")),
        ("train", ("mlp_digits_mixup", "learner=stages", "lr=0.01")),
        ("train", ("elman", "task=adding", "task.length=8", "task.train=64", "learner=stages")),
        ("train", ("cnn", "learner=frozen")),
        ("train", ("tcn", "learner=frozen", "model.channels=[4,4]")),
        ("train", ("mlp_digits", "model=logistic_regression", "learner=estimator")),
        ("train", ("cnn", "model=random_forest", "learner=estimator")),
    ],
)
def test_pairs_from_different_families_take_a_finite_step(command, overrides):
    combination = built(command, *overrides)
    row = combination.learner.step()
    assert all(math.isfinite(float(value)) for value in row.values.values())
    assert {*row.counts} <= {*combination.learner.counters}


@pytest.mark.parametrize(
    ("command", "overrides", "code", "reason"),
    [
        ("evolve", ("novelty", "learner=gradient"), "mismatch", "HardMaze"),
        ("train", ("mlp_digits", "learner=dqn"), "mismatch", "DQNAgent"),
        ("train", ("tcn", "learner=enas"), "not_found", "TCN"),
        ("train", ("capsnet_digits", "model=cnn"), "mismatch", "CNN"),
        ("train", ("mlp_digits", "task=ptb_word"), "mismatch", "MLP"),
        ("train", ("mlp_digits_smoothing", "learner=genetic"), "unsupported", "Genetic"),
        ("train", ("mlp_digits", "learner=estimator"), "mismatch", "MLP"),
    ],
)
def test_incompatible_pairs_raise_usage_error(command, overrides, code, reason):
    with pytest.raises(UsageError) as error:
        built(command, *overrides)
    assert error.value.code == code
    assert reason in str(error.value)


@pytest.mark.parametrize("learner", ["genetic", "a2c"])
def test_precision_that_a_learner_cannot_use_names_the_learner(learner):
    with pytest.raises(UsageError) as error:
        built("evolve", "ga", f"learner={learner}", "precision=float64")
    assert error.value.code == "unsupported"
    assert error.value.fields["subject"].lower().startswith(learner)
    assert "float32" in error.value.fields["hint"]


def test_metrics_are_selected_for_a_task_whose_constructor_does_not():
    made = built("evolve", "ga", "task.metrics=[return]", *SMALL, "learner.parents=2", "learner.candidates=2")
    assert {metric.name for metric in made.task.reported} == {"return", "success_rate"}
