"""Configurations as flat keys, and which of them tell groups apart."""

import pytest
from made_runs import make_run

from dlcli.report.comparison.run_table import compared, differing, distinguishing_keys, read_config, short_names
from dlcli.runs.run import Run


@pytest.mark.parametrize(
    "text", ["", "[", "- 1\n", "just words", "a: &x [*x]", "\0", "a: !!python/object/new:os.system [x]"]
)
def test_a_damaged_configuration_is_an_empty_one(tmp_path, text):
    path = make_run(tmp_path)
    (path / "config.yaml").write_text(text)
    assert read_config(Run.open(path)) == {}


def test_only_what_a_signature_is_made_of_is_compared():
    config = {
        "seed": 1, "threads": 2, "device": "cpu", "eval_every": 3, "budget": 9, "task._target_": "a.Adding",
        "task.length": 7, "task.order": 1, "learner.seed": 1, "model.hidden": 5, "optimizer": 1, "until.steps": 3,
        "learner.players.model.optimizer._target_": "torch.optim.SGD", "learner.x._partial_": True,
        "task.data_seed": 4, "precision": "float32",
    }  # fmt: skip
    assert compared(config) == {
        "task.length": 7, "model.hidden": 5, "until.steps": 3, "learner.players.model.optimizer": "SGD",
        "task.data_seed": 4, "precision": "float32",
    }  # fmt: skip


def test_a_key_differs_when_those_that_have_it_disagree():
    assert differing([{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"c": 4}]) == ["b"]
    assert differing([{"a": 1}, {"a": 1.0}, {"a": True}]) == ["a"]
    assert differing([]) == []


def test_short_names_tell_keys_apart_and_leave_taken_words():
    names = ["model.hidden", "a.lr", "b.lr", "until.steps", "lr"]
    assert short_names(names, ["steps"]) == {
        "model.hidden": "hidden", "a.lr": "a.lr", "b.lr": "b.lr", "until.steps": "until.steps", "lr": "lr",
    }  # fmt: skip


def test_dates_and_infinities_become_words_that_json_holds(tmp_path):
    path = make_run(tmp_path)
    (path / "config.yaml").write_text("task:\n  day: 2026-01-01\n  big: 1.0e+999\n  list: [.nan, 1]\n  same: -.inf\n")
    assert read_config(Run.open(path)) == {
        "task.day": "2026-01-01", "task.big": "inf", "task.list": ["nan", 1], "task.same": "-inf",
    }  # fmt: skip


def test_a_key_that_only_some_of_a_kind_have_sets_them_apart():
    configs = [{"model.hidden": 1}, {"model.hidden": 1, "model.gate": True}, {"model.channels": [3]}]
    assert distinguishing_keys(configs, ["gru", "gru", "tcn"]) == ["model.gate"]
    assert distinguishing_keys(configs, ["gru", "lstm", "tcn"]) == []


def test_keys_of_parts_of_different_classes_are_told_by_the_class_alone():
    ga = {"learner": "Genetic", "learner.sigma": 0.1, "learner.parents": 25}
    es = {"learner": "EvolutionStrategy", "learner.sigma": 0.2, "learner.optimizer": "Adam"}
    assert differing([ga, es], absent=True) == ["learner"]
    other = ga | {"learner.sigma": 0.3}
    assert differing([ga, es, other], absent=True) == ["learner", "learner.sigma"]
    assert differing([ga, {**ga, "learner.k": 3}], absent=True) == ["learner.k"]
    assert differing([ga, {**ga, "learner.k": 3}]) == []
