"""Aliases: previous names of keys and groups are accepted with a note."""

import pytest

from dlcli.config import aliases, run_config
from dlcli.config.compose import expand

PLAYER = "learner.players.model"


def value(overrides, key):
    (point,) = expand("train", overrides)
    config = point.resolved()
    for part in key.split("."):
        config = config[part]
    return config


@pytest.mark.parametrize(
    ("overrides", "key", "expected"),
    [
        (["tcn", "optimiser=sgd"], f"{PLAYER}.optimizer._target_", "torch.optim.SGD"),
        (["tcn", "optimiser.lr=0.5"], f"{PLAYER}.optimizer.lr", 0.5),
        (["tcn", f"{PLAYER}.optimiser.lr=0.5"], f"{PLAYER}.optimizer.lr", 0.5),
        (["tcn", f"optimiser@{PLAYER}.optimiser=sgd"], f"{PLAYER}.optimizer._target_", "torch.optim.SGD"),
        (["tcn", "wall=60"], "wall_time_limit", 60),
        (["vgg", "initial@model.initial=gaussian"], "model.initializer.deviation", 0.01),
        (["vgg", "initial@model.initial=gaussian", "model.initial.deviation=0.5"], "model.initializer.deviation", 0.5),
        (["resnet", "model.nonlocal_form=gaussian"], "model.nonlocal_variant", "gaussian"),
        (["mlp", "objective=dropout", "objective.form.rate=0.25"], f"{PLAYER}.objective.variant.rate", 0.25),
        (["lstm", "objective=dropout", "dropout@objective.form=time"], f"{PLAYER}.objective.variant.rate", 0.25),
        (["rotated_stn", "start@model.start=random"], "model.warp_init", "random"),
        (["cnn", "norm@model.norm=none"], "model.norm", "none"),
    ],
)  # fmt: skip
def test_old_key_sets_the_new_one(overrides, key, expected):
    assert value(overrides, key) == expected


def test_old_key_is_noted_once(caplog, monkeypatch):
    monkeypatch.setattr(aliases, "_NOTED", set())
    for _ in range(2):
        expand("train", ["tcn", "optimiser=sgd"])
    assert caplog.messages == ["note: optimiser is now optimizer"]


def test_saved_configuration_of_0_1_0_has_the_new_keys():
    (point,) = expand("train", ["vgg"])
    new = run_config.dump(point.resolved())
    old = new.replace("optimizer:", "optimiser:").replace("initializer:", "initial:").replace("wall_time_limit", "wall")
    old = old.replace("  norm: batch\n", "  norm: {_target_: torch.nn.BatchNorm2d, _partial_: true}\n")
    assert "BatchNorm2d" in old
    assert run_config.load(old) == run_config.load(new) == point.resolved()


def test_number_named_like_a_renamed_part_keeps_its_name():
    (point,) = expand("search", ["enas"])
    config = point.resolved()
    assert config["model"]["controller"]["initial"] == 0.1
    assert run_config.load(run_config.dump(config)) == config
