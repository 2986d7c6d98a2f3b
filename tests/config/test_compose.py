"""Composition of configurations: sweeps, short keys, recipes, folders of the user, provenance, errors."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dlcli.config import compose, provenance, run_config
from dlcli.core.errors import UsageError

PLAYER = "learner.players.model"


def compose_run(*overrides, **more):
    (point,) = compose.expand("train", overrides, **more)
    return point


def value(config, key):
    for part in key.split("."):
        config = config[part]
    return config


def overrides_of(*overrides):
    return [point.words for point in compose.expand("train", overrides)]


@pytest.mark.parametrize(
    ("word", "key", "expected"),
    [
        ("lr=0.5", f"{PLAYER}.optimizer.lr", 0.5),
        ("clip=0.25", f"{PLAYER}.clip", 0.25),
        ("clip=null", f"{PLAYER}.clip", None),
        ("batch=7", "task.batch", 7),
        ("optimizer=sgd", f"{PLAYER}.optimizer._target_", "torch.optim.SGD"),
        ("schedule=cosine", f"{PLAYER}.schedule._target_", "dlcli.learners.gradient.schedule.Cosine"),
        ("objective=mixup", f"{PLAYER}.objective._target_", "dlcli.objectives.mixup.Mixup"),
        ("optimizer.eps=1.0", f"{PLAYER}.optimizer.eps", 1.0),
        ("steps=9", "until", {"steps": 9}),
        ("epochs=1.5", "until", {"epochs": 1.5}),
        ("until={updates: 4}", "until", {"updates": 4}),
        ("until.samples=100", "until", {"epochs": 40, "samples": 100}),
        ("~until.epochs", "until", {"epochs": 20}),
        ("model.channels.0=3", "model.channels", [3, 25, 25, 25]),
    ],
)
def test_short_keys_set_their_full_keys(word, key, expected):
    assert value(compose_run("tcn", word).resolved(), key) == expected


def test_short_key_applies_to_selected_member():
    config = compose_run("tcn", "lr=0.5", "optimizer=rmsprop").resolved()
    assert value(config, f"{PLAYER}.optimizer._target_") == "torch.optim.RMSprop"
    assert value(config, f"{PLAYER}.optimizer.lr") == 0.5


def test_short_keys_reach_nested_keys_of_single_player():
    overrides = ("objective.variant.rate=0.3", "dropout@objective.variant=channel", "objective@objective.base=mixup")
    config = compose_run("mlp", "objective=dropout", *overrides, "objective.base.alpha=0.4").resolved()
    objective = value(config, f"{PLAYER}.objective")
    assert objective["variant"] == {"_target_": "dlcli.nn.stochastic.dropout.ChannelDropout", "rate": 0.3}
    assert objective["base"]["alpha"] == 0.4
    assert [
        value(point.resolved(), f"{PLAYER}.objective.alpha")
        for point in compose.expand("train", ["mlp", "objective=mixup", "objective.alpha=0.1,0.2"])
    ] == [0.1, 0.2]
    with pytest.raises(UsageError, match=r"alpha"):
        compose_run("mlp", "objective=mixup", "objective.alhpa=1.0")


def test_short_key_of_two_players_raises_usage_error(tmp_path):
    folder = tmp_path / "learner"
    folder.mkdir()
    (folder / "two.yaml").write_text(
        "_target_: dlcli.learners.gradient.gradient.Gradient\nplayers: {critic: {}, generator: {}}\n"
    )
    with pytest.raises(UsageError, match=r"learner\.players\.critic\.optimizer\.lr, .*generator"):
        compose.expand("train", ["task=adding", "learner=two", "lr=1"], extra=[tmp_path])


def test_model_without_task_uses_its_home_recipe():
    point = compose_run("model=gru")
    assert (point.recipe, point.label, point.words) == ("gru", "gru", ())
    assert compose_run().recipe == "tcn"


def test_model_with_task_has_no_recipe():
    point = compose_run("model=gru", "task=adding")
    assert point.recipe is None
    assert point.label == "adding_gru"
    assert point.resolved()["until"] == {"epochs": 20}


def test_sweep_over_models_uses_home_recipe_of_each():
    points = compose.expand("train", ["model=tcn,gru", "seed=1,2"])
    assert [(point.recipe, point.words) for point in points] == [
        ("tcn", ("seed=1",)), ("tcn", ("seed=2",)), ("gru", ("seed=1",)), ("gru", ("seed=2",)),
    ]  # fmt: skip


def test_recipes_separated_by_commas_give_one_run_each():
    points = compose.expand("train", ["c2d_matching,i3d_matching", "seed=1,2"])
    assert [(point.recipe, point.words) for point in points] == [
        ("c2d_matching", ("seed=1",)), ("c2d_matching", ("seed=2",)),
        ("i3d_matching", ("seed=1",)), ("i3d_matching", ("seed=2",)),
    ]  # fmt: skip
    with pytest.raises(UsageError) as error:
        compose.expand("train", ["c2d_matching,i3d_matchin"])
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "i3d_matchin")


@pytest.mark.parametrize(
    ("overrides", "code", "key", "text"),
    [
        (["model@model.body=vg"], "unknown_name", "vg", '(did you mean "vgg"?)'),
        (["model@model.bdy=vgg"], "unknown_key", "model@model.bdy", '(did you mean "model@model.body"?)'),
        (["warp@warp=affine"], "unknown_key", "warp@warp", "Write warp@model.warp=affine"),
        (["model.body=vgg"], "invalid_value", "model.body", "model@model.body=vgg"),
        (["dropout@model.dropout=element"], "unknown_key", "dropout@model.dropout", "no member of the group dropout"),
    ],
)
def test_member_at_unknown_key_or_of_unknown_name_raises_usage_error(overrides, code, key, text):
    with pytest.raises(UsageError) as error:
        compose.expand("train", ["model=spatial_transformer", *overrides])
    assert error.value.code == code
    assert key in (error.value.fields.get("key"), error.value.fields.get("name"))
    assert text in str(error.value)


def test_group_with_one_member_needs_no_package():
    config = compose_run("model=spatial_transformer", "warp=projective").resolved()
    assert value(config, "model.warp._target_").endswith("ProjectiveWarp")


def test_smoke_overrides_precede_those_of_the_user():
    point = compose_run("gru", "steps=2", smoke=True)
    assert point.resolved()["until"] == {"steps": 2}
    assert point.resolved()["model"]["hidden"] == 4


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("seed=1,2,3", ["1", "2", "3"]),
        ("seed=range(3)", ["0", "1", "2"]),
        ("seed=range(1,7,3)", ["1", "4"]),
        ("seed=choice(5,6)", ["5", "6"]),
        ("model.channels=[4,4],[5,5]", ["[4,4]", "[5,5]"]),
        ("task.path='a,b'", ["'a,b'"]),
        ("task.path='a,b',c", ["'a,b'", "c"]),
        ("model.channels=[4,4]", ["[4,4]"]),
    ],
)
def test_unquoted_commas_give_several_runs(word, expected):
    key = word.partition("=")[0]
    result = overrides_of("task=csv", "model=tcn", word)
    assert [overrides[-1] for overrides in result] == [f"{key}={choice}" for choice in expected]


def test_last_sweep_changes_fastest():
    assert overrides_of("tcn", "seed=1,2", "lr=0.1,0.2") == [
        ("seed=1", "lr=0.1"), ("seed=1", "lr=0.2"), ("seed=2", "lr=0.1"), ("seed=2", "lr=0.2"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["é.csv", "/tmp/a(1).csv", "a=b.csv", "~/x.csv", "温度", "a b.csv", "a[1].csv"])
def test_plain_text_outside_the_grammar_is_quoted(text):
    assert compose_run("task=csv", f"task.path={text}").resolved()["task"]["path"] == text


def test_resolved_seed_updates_interpolations():
    config = compose_run("seed=7").resolved()
    assert (config["task"]["order"], config["learner"]["seed"]) == (7, 7)
    assert compose_run("seed=7").resolved(seed=0)["task"]["order"] == 0


def recipe(folder, channels):
    (folder / "experiment" / "train").mkdir(parents=True)
    (folder / "model").mkdir()
    (folder / "experiment/train/mine.yaml").write_text(
        "# @package _global_\n# Mine\ndefaults:\n  - override /model: mymodel\n  - _self_\nuntil: {steps: 3}\n"
    )
    (folder / "model/mymodel.yaml").write_text(
        f"_target_: dlcli.models.sequence.tcn.TCN\nchannels: {channels}\nkernel_size: 2\n"
    )


def test_config_dir_precedes_packaged_precedes_local_conf(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe(tmp_path / "conf", [1])
    assert compose_run("mine").resolved()["model"]["channels"] == [1]
    recipe(tmp_path / "named", [2])
    assert compose_run("mine", extra=[tmp_path / "named"]).resolved()["model"]["channels"] == [2]
    (tmp_path / "conf/model/tcn.yaml").write_text("_target_: dlcli.models.sequence.tcn.TCN\nchannels: [3]\n")
    assert compose_run("task=adding", "model=tcn").resolved()["model"]["channels"] != [3]
    named = compose_run("task=adding", "model=tcn", extra=[tmp_path / "conf"])
    assert named.resolved()["model"]["channels"] == [3]


def test_provenance_is_file_or_command_line():
    point = compose_run("gru", "seed=3", "lr=0.1", "steps=5", "optimizer=sgd", "until.samples=9")
    result = provenance.sources(point)
    assert result["model.hidden"].endswith("conf/model/gru.yaml")
    assert result[f"{PLAYER}.clip"].endswith("conf/experiment/train/gru.yaml")
    assert result[f"{PLAYER}.optimizer.momentum"].endswith("conf/optimizer/sgd.yaml")
    assert result["precision"].endswith("dlcli/config/schema.py")
    typed = ("seed", f"{PLAYER}.optimizer.lr", "until.steps", "until.samples")
    assert [result[key] for key in typed] == ["command line"] * 4


def test_session_restores_previous_hydra_instance():
    from hydra.core.global_hydra import GlobalHydra

    mine = object()
    GlobalHydra.instance().hydra = mine
    try:
        compose_run("tcn")
        with pytest.raises(UsageError):
            compose_run("tcn", "nonsense=1")
        assert GlobalHydra.instance().hydra is mine
    finally:
        GlobalHydra.instance().hydra = None


def test_run_config_round_trip():
    config = compose_run("tcn").resolved()
    assert run_config.load(run_config.dump(config)) == config
    assert run_config.change(config, ["task.batch=5", "task.batch=6"])["task"]["batch"] == 6
    assert config["task"]["batch"] == 32
    for text in ("", "[1]", "{", "a: ${b}"):
        with pytest.raises(UsageError) as error:
            run_config.load(text)
        assert error.value.code == "damaged"
    for word in ("task.bach=5", "task.batch=1,2", "task.batch=x", "nonsense"):
        with pytest.raises(UsageError):
            run_config.change(config, [word])


def test_damaged_yaml_of_user_raises_usage_error(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/broken.yaml").write_text("a: [1\nb: {")
    with pytest.raises(UsageError) as error:
        compose.expand("train", ["task=adding", "model=broken"], extra=[tmp_path])
    assert error.value.code == "invalid_configuration"


KEYS = (
    "model", "task", "learner", "optimizer", "schedule", "objective", "lr", "batch", "clip", "steps", "epochs",
    "until", "until.steps", "until.x", "seed", "budget", "wall_time_limit", "threads", "patience", "plugins",
    "smoke", "hydra",
    "hydra.run.dir", "hydra/launcher", "experiment", "experiment/train", "data", "defaults", "defaults.0", "",
    "model.channels", "model.channels.0", "model.channels[0]", "model._target_", "learner.players", PLAYER,
    f"{PLAYER}.optimizer", f"optimizer@{PLAYER}.optimizer", "task@foo", "model@model",
)  # fmt: skip
VALUES = (
    "", "tcn", "mnist", "csv", "null", "1", "-1", "1.5", "1e400", "nan", "inf", "true", "[]", "[1,2]", "{}", "{a:1}",
    "{steps:3}", "a,b", "range(3)", "range(0,0)", "range(1,1e9)", "choice(1,2)", "interval(0,1)", "shuffle(1,2)",
    "glob(*)", "sort(3,2)", "tag(a,b)", "${seed}", "${foo}", "${oc.env:HOME}", "${model}", "${", "'", '"', "'a,b'", "@",
    "\\", "???", "é", "\x00", "\n", "a" * 3000, "[[[[", "(((", "cast(1)", "extend_list(1)", "!!python/tuple [1]", "*a",
)  # fmt: skip
VALUE = st.one_of(
    st.sampled_from(VALUES),
    st.text(max_size=20),
    st.lists(st.sampled_from(VALUES), min_size=2, max_size=3).map(",".join),
    st.sampled_from(VALUES).map("[{}]".format),
    st.integers().map(str),
    st.floats(allow_subnormal=False).map(str),  # training flushes them to zero for the whole process
)
PREFIX = st.sampled_from(("", "", "", "", "+", "++", "~", "--", "-", "@"))
WORD = st.one_of(
    st.builds("{}{}={}".format, PREFIX, st.sampled_from(KEYS), VALUE),
    st.builds("{}{}".format, PREFIX, st.sampled_from(KEYS)),
    st.builds("{}.{}={}".format, st.sampled_from(KEYS), st.text(max_size=5), VALUE),
    st.text(max_size=30),
)


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(WORD, max_size=3))
@example(["lr=[]"])
def test_any_arguments_give_a_configuration_or_a_usage_error(overrides):
    try:
        points = compose.expand("train", overrides)
        configs = [point.resolved() for point in points[:2]]
        sources = [provenance.sources(point) for point in points[:1]]
    except UsageError as error:
        check_short(str(error))
    else:
        assert all(configs)
        assert all(sources)


def check_short(text):
    assert 1 <= len([line for line in text.splitlines() if line.strip()]) <= 5
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("overrides", "zips"),
    [
        (["until.steps=5,6", "steps=20"], []),
        (["steps=20"], ["lr=0.1,0.2 until.steps=5,6"]),
        (["until.epochs=5"], ["lr=0.1,0.2 steps=5,6"]),
        (["epochs=2", "until.epochs=3"], []),
        (["until={samples: 9, steps: 5}", "epochs=2"], []),
    ],
)
def test_conflicting_limits_raise_usage_error(overrides, zips):
    with pytest.raises(UsageError) as error:
        compose.expand("train", ["gru", *overrides], zips=zips)
    assert error.value.code == "conflict"
    assert error.value.fields["second"].startswith("until")


@pytest.mark.parametrize("overrides", [["steps=5", "until.samples=9"], ["steps=null", "until.steps=5"]])
def test_limits_of_different_counters_are_combined(overrides):
    assert len(compose.expand("train", ["gru", *overrides])) == 1


@pytest.mark.parametrize(
    ("word", "value"), [("budget=1e4", 10_000), ("budget=1.5e4", 15_000), ("steps=2E3", None), ("eval_every=1e1", 10)]
)
def test_exponent_notation_is_accepted_for_integers(word, value):
    result = compose_run("gru", word).resolved()
    assert result["until"] == {"steps": 2000} if value is None else result[word.partition("=")[0]] == value


def test_exponent_notation_of_fraction_raises_usage_error():
    with pytest.raises(UsageError) as error:
        compose_run("gru", "budget=1e-4").resolved()
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "budget")


def test_replaced_member_drops_settings_of_the_recipe():
    player = compose_run("capsnet_digits", "objective=mixup", "objective.alpha=0.4").resolved()["learner"]["players"][
        "model"
    ]
    assert player["objective"]["alpha"] == 0.4
    assert "weight" not in player["objective"]
    player = compose_run("enas_cell_ptb", "optimizer=rmsprop").resolved()["learner"]["players"]["model"]
    assert player["optimizer"]["_target_"].endswith("RMSprop")
    assert player["optimizer"]["lr"] == 20.0
