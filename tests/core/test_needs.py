"""Requirements between objects, checked before the first step."""

from typing import Protocol

import pytest
from torch import nn

from dlcli.core.errors import Mismatch
from dlcli.core.needs import check_requirements, require_loss
from dlcli.tasks.control.maze.maze import HardMaze


class Critical(Protocol):
    critic: nn.Module

    def pairs(self): ...


class User:
    needs = Critical


class Fits(nn.Module):
    def __init__(self):
        super().__init__()
        self.critic = nn.Linear(1, 1)

    def pairs(self): ...


def test_check_needs_accepts_attributes_methods_and_sub_modules():
    check_requirements(User(), Fits())
    check_requirements(object(), nn.Linear(1, 1))


def test_check_needs_names_missing_members():
    model = nn.Linear(1, 1)
    model.critic = nn.Linear(1, 1)
    with pytest.raises(Mismatch) as error:
        check_requirements(User(), model)
    assert error.value.code == "mismatch"
    assert error.value.fields == {
        "subject": "User", "requirement": "a model with critic, pairs", "got": "Linear", "hint": "Linear lacks pairs.",
    }  # fmt: skip


def test_require_loss_hint_for_environment():
    with pytest.raises(Mismatch) as error:
        require_loss(HardMaze(episodes=1, valid_episodes=1, test_episodes=1, lanes=1), "Supervised")
    assert error.value.fields["requirement"] == "a task with a loss"
    assert "environment" in error.value.fields["hint"]
