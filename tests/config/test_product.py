"""Combinations of tasks, models and learners: pairs from different families build, or raise a usage error."""

import pytest
import torch

from dlcli.config import build
from dlcli.config.budget import settle_budget
from dlcli.config.compose import expand
from dlcli.core.errors import UsageError

CPU = torch.device("cpu")
SMALL = ("learner.population=8", "learner.chunk=8")


def built(command, *overrides):
    (point,) = expand(command, overrides)
    return build.build(settle_budget(point.resolved()), CPU)


@pytest.mark.parametrize(
    ("command", "overrides"),
    [
        ("train", ("mlp_digits", "learner=genetic", *SMALL, "learner.parents=2", "learner.candidates=2")),
        ("train", ("mlp_digits_mixup", "learner=evolution_strategy", *SMALL)),
        ("train", ("capsnet_digits", "model=cnn", "objective=supervised")),
        ("train", ("mlp_digits_dropout", "model=gru", "task=sequential_digits")),
        ("train", ("tcn", "learner=snes", *SMALL, "model.channels=[4,4]")),
        ("train", ("adding_tcn", "model=lstm", "objective=mixup")),
        ("evolve", ("novelty", "learner=a2c")),
        ("evolve", ("dqn", "learner=genetic", "learner.population=8", "learner.parents=2", "model=gru_policy")),
        ("evolve", ("ga", "learner=nsr_es", *SMALL)),
    ],
)
def test_pairs_from_different_families_build(command, overrides):
    assert built(command, *overrides).learner.step


@pytest.mark.parametrize(
    ("command", "overrides", "reason"),
    [
        ("evolve", ("novelty", "learner=gradient"), "HardMaze"),
        ("train", ("mlp_digits", "learner=dqn"), "Digits"),
        ("train", ("tcn", "learner=enas"), "TCN"),
        ("train", ("capsnet_digits", "model=cnn"), "CNN"),
        ("train", ("mlp_digits", "task=ptb_word"), ""),
    ],
)
def test_incompatible_pairs_raise_usage_error(command, overrides, reason):
    with pytest.raises(UsageError) as error:
        built(command, *overrides)
    assert reason in str(error.value)
