"""Identity of an experiment: configuration, source code and versions of classes."""

import copy
import sys
from functools import cache

import pytest
import torch

from dlcli.config import build, compose, identity
from dlcli.core.errors import UsageError
from dlcli.learners.gradient.gradient import Gradient
from dlcli.models.sequence.tcn import TCN
from dlcli.objectives.supervised import Supervised
from dlcli.tasks.sequence.sequential_digits import SequentialDigits

PLUGIN = """
import random
import numpy as np
import torch
from dlcli.learners.gradient.gradient import Gradient
from dlcli.models.sequence.tcn import TCN
from dlcli.objectives.supervised import Supervised
from dlcli.tasks.sequence.sequential_digits import SequentialDigits

def draw():
    return torch.rand(2).tolist() + np.random.rand(2).tolist() + [random.random()]

class Net(TCN):
    pass

class Objective(Supervised):
    def __init__(self, task):
        super().__init__(task)
        self.drawn = draw()

class Learner(Gradient):
    def __init__(self, model, task, **hyper):
        super().__init__(model, task, **hyper)
        self.drawn = draw()

class Task(SequentialDigits):
    def __init__(self, **hyper):
        super().__init__(**hyper)
        self.drawn = draw()
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "mine.py"
    sys.modules.pop("mine", None)


def _core(*words):
    (point,) = compose.expand("train", ["mlp_digits", *words])
    return identity.core(point.resolved(seed=0))


def test_division_of_work_in_stages_is_not_part_of_the_signature():
    assert _core("learner=stages", "devices=2") == _core("learner=stages")


def test_precision_counts_once():
    assert _core("precision=float64") != _core()
    (point,) = compose.expand("train", ["mlp_digits"])
    config = point.resolved(seed=0)
    del config["learner"]["precision"]
    assert identity.core(config) == _core()


@pytest.mark.parametrize("learner", ["frozen", "stages"])
def test_limit_of_a_recipe_is_not_part_of_a_learner_that_finishes(learner):
    recipes = [compose.expand("train", [name, f"learner={learner}"])[0] for name in ("mlp_digits", "mlp")]
    assert [point.resolved()["until"] for point in recipes] == [{}, {}]


@cache
def _composed(overrides):
    (point,) = compose.expand("train", ["tcn", "model.channels=[4,4]", *overrides])
    return point.resolved()


def resolved(*overrides):
    return copy.deepcopy(_composed(overrides))


def with_plugins():
    config = resolved("plugins=[mine]")
    config["model"]["_target_"] = "mine.Net"
    config["learner"]["_target_"] = "mine.Learner"
    config["learner"]["players"]["model"]["objective"]["_target_"] = "mine.Objective"
    config["task"]["_target_"] = "mine.Task"
    return config


def test_core_covers_the_source_of_plugins(mine):
    config = with_plugins()
    before = identity.core(config)
    assert identity.core(config) == before
    mine.write_text(PLUGIN.replace("pass", "growth = 2"))
    assert identity.core(config) != before


def test_code_record_lists_the_classes_and_files_of_plugins(mine):
    record = identity.code_record(with_plugins())
    assert set(record) == {"mine.Net", "mine.Learner", "mine.Objective", "mine.Task"}
    assert record["mine.Net"]["files"] == {"mine.py": identity.sha256(PLUGIN.encode())}
    assert identity.code_record(resolved()) == {}


@pytest.mark.parametrize("cls", [SequentialDigits, TCN, Supervised, Gradient])
def test_core_covers_the_version_of_each_class(monkeypatch, cls):
    before = identity.core(resolved())
    monkeypatch.setattr(cls, "version", 1, raising=False)
    assert identity.core(resolved()) == before
    monkeypatch.setattr(cls, "version", 2, raising=False)
    assert identity.core(resolved()) != before
    assert identity.code_record(resolved()) == {f"{cls.__module__}.{cls.__qualname__}": {"version": 2}}


@pytest.mark.parametrize("version", ["2", 0, True, 1.5])
def test_version_must_be_an_integer(monkeypatch, version):
    monkeypatch.setattr(TCN, "version", version, raising=False)
    with pytest.raises(UsageError) as error:
        identity.core(resolved())
    assert (error.value.code, error.value.fields["got"]) == ("invalid_value", version)


def test_check_code_compares_plugins_with_the_record_of_a_run(mine, tmp_path):
    config = with_plugins()
    record = identity.code_record(config)
    identity.check_code(config, record, tmp_path)
    identity.check_code(config, None, tmp_path)
    mine.write_text(PLUGIN + "\n")
    with pytest.raises(UsageError) as error:
        identity.check_code(config, record, tmp_path)
    assert error.value.code == "code_changed"
    assert "mine.py" in error.value.fields["hint"]
    mine.unlink()
    with pytest.raises(UsageError) as error:
        identity.check_code(config, record, tmp_path)
    assert error.value.code == "code_changed"


def test_check_versions_refuses_to_resume_across_versions(monkeypatch, tmp_path):
    config = resolved()
    identity.check_versions(config, {}, tmp_path)
    monkeypatch.setattr(TCN, "version", 2, raising=False)
    identity.check_versions(config, identity.code_record(config), tmp_path)
    with pytest.raises(UsageError) as error:
        identity.check_versions(config, {}, tmp_path)
    assert error.value.code == "code_changed"


def test_stored_files_are_bounded(mine, monkeypatch):
    sources = identity.sources(with_plugins())
    assert identity.stored_files(sources) == {"mine.py": PLUGIN.encode()}
    monkeypatch.setattr(identity, "_MAX_STORED", 10)
    assert identity.stored_files(sources) == {}


def test_build_seeds_every_part_and_restores_the_generators(mine):
    def drawn(seed):
        torch.manual_seed(torch.seed())  # another global state in every call
        before = torch.get_rng_state()
        experiment = build.build(with_plugins() | {"seed": seed}, torch.device("cpu"))
        assert torch.equal(torch.get_rng_state(), before)
        (seat,) = experiment.learner._seats.values()
        return experiment.task.drawn, experiment.learner.drawn, seat.objective.drawn

    task, learner, objective = drawn(1)
    assert drawn(1) == (task, learner, objective)
    assert learner != objective
    other_task, other_learner, other_objective = drawn(2)
    assert other_task == task
    assert all(a != b for a, b in zip(learner + objective, other_learner + other_objective, strict=True))
