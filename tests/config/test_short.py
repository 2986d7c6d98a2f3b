"""Short keys: full keys by learner, and values set by recipes."""

import pytest

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


def test_short_key_of_recipe_is_ignored_if_the_learner_does_not_support_it():
    assert "players" not in resolved("train", "mlp_digits_mixup", "learner=genetic")["learner"]


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
