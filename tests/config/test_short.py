"""Short keys: full keys by learner, and values set by recipes."""

import pytest

from dlcli.config import schema, short
from dlcli.config.compose import expand
from dlcli.core.errors import UsageError

PLAYER = "learner.players.model"


def resolved(command, *overrides, **more):
    (point,) = expand(command, overrides, **more)
    return point.resolved()


def value(config, key):
    for part in key.split("."):
        config = config[part]
    return config


@pytest.mark.parametrize(
    ("overrides", "key", "expected"),
    [
        (("learner=dqn", "lr=0.5"), "learner.lr", 0.5),
        (("learner=a2c", "clip=0.25"), "learner.clip", 0.25),
        (("learner=evolution_strategy", "lr=0.5"), "learner.optimizer.lr", 0.5),
        (("learner=ns_es", "optimizer=sgd"), "learner.optimizer._target_", "torch.optim.SGD"),
        (("learner=snes", "lr=0.5"), "learner.learning_rate", 0.5),
    ],
)
def test_short_key_sets_the_full_key_of_the_learner(overrides, key, expected):
    assert value(resolved("evolve", "task=hard_maze", "model=mlp", *overrides), key) == expected


def test_short_mapping_is_not_part_of_the_configuration():
    assert "short" not in resolved("train", "tcn")["learner"]
    assert not {"lr", "clip", "objective", "optimizer"} & resolved("train", "ptb_word_tcn_paper").keys()


def test_short_keys_of_a_recipe_reach_the_player():
    config = resolved("train", "ptb_word_tcn_paper")
    assert value(config, f"{PLAYER}.optimizer._target_") == "torch.optim.SGD"
    assert value(config, f"{PLAYER}.optimizer.lr") == 4.0
    assert value(config, f"{PLAYER}.clip") == 0.4
    assert value(config, f"{PLAYER}.schedule.after") == 7260


def test_full_key_overrides_the_short_key_of_a_recipe():
    config = resolved("train", "tcn", f"{PLAYER}.optimizer.lr=0.5", f"optimizer@{PLAYER}.optimizer=sgd")
    assert value(config, f"{PLAYER}.optimizer.lr") == 0.5
    assert value(config, f"{PLAYER}.optimizer._target_") == "torch.optim.SGD"


@pytest.mark.parametrize("word", ["lr=0.1", "objective=mixup", "objective.alpha=1.0", "clip=1.0", "optimizer=sgd"])
def test_unsupported_short_key_of_user_raises_usage_error(word):
    with pytest.raises(UsageError) as error:
        resolved("train", "mlp_digits", "learner=genetic", word)
    assert error.value.code == "unsupported"
    assert word.partition("=")[0] in error.value.fields["feature"]


def test_unsupported_short_key_hint_lists_full_keys_of_players():
    with pytest.raises(UsageError) as error:
        resolved("search", "enas", "lr=0.1")
    assert f"{PLAYER[:-6]}.shared.optimizer.lr" in error.value.fields["hint"]
    assert f"{PLAYER[:-6]}.controller.optimizer.lr" in error.value.fields["hint"]


def test_recipe_with_unknown_member_raises_usage_error(tmp_path):
    folder = tmp_path / "experiment/train"
    folder.mkdir(parents=True)
    (folder / "typo.yaml").write_text("# @package _global_\nobjective: {name: mixup, alhpa: 0.2}\n")
    with pytest.raises(UsageError) as error:
        resolved("train", "typo", extra=[tmp_path])
    assert error.value.code == "unknown_key"
    (folder / "member.yaml").write_text("# @package _global_\nobjective: mixupp\n")
    with pytest.raises(UsageError) as error:
        resolved("train", "member", extra=[tmp_path])
    assert error.value.fields["name"] == "mixupp"


def test_another_member_does_not_inherit_settings_that_it_does_not_have():
    config = resolved("train", "mlp_digits", "model=gru", "task=sequential_digits")
    assert "activation" not in config["model"]
    assert isinstance(config["model"]["hidden"], int)
    assert "labels" not in config["task"]
    player = value(resolved("train", "capsnet_digits", "objective=mixup"), PLAYER)
    assert "weight" not in player["objective"]


def test_value_has_the_type_of_the_selected_member():
    assert resolved("train", "mlp_digits", "model=gru", "model.hidden=9")["model"]["hidden"] == 9


def test_player_group_needs_three_lines_of_yaml(tmp_path):
    (tmp_path / "learner").mkdir()
    (tmp_path / "learner/pair.yaml").write_text(
        "defaults:\n  - _players\n  - /player@players.critic: default\n  - /player@players.generator: default\n"
        "  - _self_\nplayers:\n  critic: {repeats: 5}\n  generator: {clip: 1.0}\n"
    )
    config = resolved("train", "task=digits", "model=mlp", "learner=pair", "seed=3", extra=[tmp_path])["learner"]
    assert list(config["players"]) == ["critic", "generator"]
    assert config["players"]["critic"]["repeats"] == 5
    assert config["players"]["generator"]["optimizer"]["lr"] == 0.001
    assert (config["seed"], config["devices"]) == (3, 1)


@pytest.mark.parametrize(
    ("words", "key", "expected"),
    [
        (("lr=0.5",), "learner.optimizer.lr", 0.5),
        (("optimizer=sgd",), "learner.optimizer._target_", "torch.optim.SGD"),
        (
            ("objective=label_smoothing",),
            "learner.objective._target_",
            "dlcli.objectives.label_smoothing.LabelSmoothing",
        ),
        (("devices=2",), "learner.devices", 2),
    ],
)
def test_short_key_of_closure(words, key, expected):
    assert value(resolved("train", "mlp_digits", "learner=closure", *words), key) == expected


def test_short_keys_reach_every_stage_that_has_them():
    words = ("lr=0.5", "clip=1.0", "objective=mixup", "schedule=cosine", "devices=2")
    stages = resolved("train", "mlp_digits", "learner=stages", *words)["learner"]["stages"]
    first, second = (stages[name]["learner"] for name in ("first", "second"))
    player = first["players"]["model"]
    assert (player["optimizer"]["lr"], player["clip"]) == (0.5, 1.0)
    assert player["schedule"]["_target_"].endswith("Cosine")
    assert player["objective"] == second["objective"]
    assert second["objective"]["_target_"].endswith("Mixup")
    assert second["optimizer"]["lr"] == 1.0
    assert (first["devices"], second["devices"]) == (2, 2)


def test_short_key_of_stages_follows_the_chosen_stages():
    words = ("learner@learner.stages.second.learner=gradient", "lr=0.5")
    stages = resolved("train", "mlp_digits", "learner=stages", *words)["learner"]["stages"]
    assert all(stages[name]["learner"]["players"]["model"]["optimizer"]["lr"] == 0.5 for name in stages)


@pytest.mark.parametrize("learner", ["closure", "stages"])
def test_objective_of_a_recipe_reaches_learners_without_players(learner):
    config = resolved("train", "mlp_digits_smoothing", f"learner={learner}")["learner"]
    parts = [config] if learner == "closure" else [config["stages"]["second"]["learner"]]
    assert all("label_smoothing" in part["objective"]["_target_"] for part in parts)


def test_objective_of_a_recipe_without_a_place_is_refused():
    with pytest.raises(UsageError) as error:
        resolved("train", "mlp_digits_smoothing", "learner=genetic")
    assert error.value.code == "unsupported"
    assert error.value.fields["subject"] == "Genetic"
    assert "mlp_digits_smoothing" in error.value.fields["feature"]


def test_other_short_keys_of_a_recipe_without_a_place_are_reported(caplog):
    short._NOTED.clear()
    assert "players" not in resolved("train", "mlp_digits", "learner=genetic")["learner"]
    assert [record.getMessage() for record in caplog.records if "Genetic" in record.getMessage()] == [
        "note: Genetic does not support lr=0.003 of the recipe mlp_digits"
    ]


def test_missing_place_lists_the_short_keys_of_the_learner():
    with pytest.raises(UsageError) as error:
        resolved("train", "mlp_digits", "learner=closure", "clip=1.0")
    assert error.value.fields["hint"] == "Short keys of Closure: devices, lr, objective, optimizer"


@pytest.mark.parametrize("learner", ["genetic", "estimator"])
def test_devices_without_a_place_names_the_learner(learner):
    with pytest.raises(UsageError) as error:
        resolved("train", "mlp_digits", f"learner={learner}", "devices=2")
    assert error.value.code == "unsupported"
    assert error.value.fields["subject"].lower() == learner


@pytest.mark.parametrize(
    "key", ["finish=1", "finnishes=1", "scale=2", "model.scalez=3", "eval_key=1", "learner.shorts=1"]
)
def test_suggestions_never_name_metadata(key):
    with pytest.raises(UsageError) as error:
        resolved("train", "mlp_digits", "learner=stages", key)
    text = str(error.value)
    assert not any(f'"{name}"' in text or f".{name}" in text.partition("\n")[2] for name in schema.METADATA), text


def test_limit_of_a_recipe_does_not_apply_to_a_learner_that_finishes():
    assert resolved("train", "mlp_digits", "learner=stages")["until"] == {}
    assert resolved("train", "mlp_digits", "learner=frozen")["until"] == {}
    assert resolved("train", "mlp_digits", "learner=stages", "steps=7")["until"] == {"steps": 7}
    assert resolved("train", "mlp_digits", "learner=stages", "until.samples=7")["until"] == {"samples": 7}
    assert resolved("train", "mlp_digits", "learner=stages", smoke=True)["until"] == {"steps": 3}
