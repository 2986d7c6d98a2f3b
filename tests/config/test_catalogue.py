"""Catalogue of models, tasks and recipes, and shell completion."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from dlcli.cli import completion
from dlcli.config import catalogue, compose
from dlcli.core.errors import Missing


def completions(*words):
    """Completions of the last argument as in zsh, which splits arguments at blanks only."""
    return completion.words(SimpleNamespace(params={"overrides": words[:-1]}), words[-1])


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/mine.yaml").write_text("# @package _group_\n# My own model\nhidden: 3\nscales: hidden\n")
    (tmp_path / "conf/model/tcn.yaml").write_text("# My TCN\nwidth: 3\n")
    return tmp_path / "conf"


def test_members_of_local_conf_add_names_only(mine):
    members = catalogue.members("model")
    assert members["mine"] == mine / "model/mine.yaml"
    assert members["tcn"].is_relative_to(catalogue.packaged_folder())
    assert members["gru"].is_relative_to(catalogue.packaged_folder())
    assert list(members) == sorted(members)


def test_config_dir_precedes_local_conf(mine, tmp_path):
    (tmp_path / "named/model").mkdir(parents=True)
    (tmp_path / "named/model/tcn.yaml").write_text("# Another\n")
    assert catalogue.folders([tmp_path / "named"]) == [tmp_path / "named", catalogue.packaged_folder(), mine]
    assert catalogue.members("model", [tmp_path / "named"])["tcn"].is_relative_to(tmp_path / "named")


def test_folders_missing_config_dir_raises_missing(tmp_path):
    with pytest.raises(Missing) as error:
        catalogue.folders([tmp_path / "none"])
    assert (error.value.code, error.value.fields["path"]) == ("missing_file", tmp_path / "none")


def test_describe_returns_first_comment_without_hydra_directive(mine, tmp_path):
    assert catalogue.describe(mine / "model/mine.yaml") == "My own model"
    (tmp_path / "plain.yaml").write_bytes(b"a: 1\n# \xff late\n")
    assert catalogue.describe(tmp_path / "plain.yaml") == ""


def test_completion_lists_members_of_group():
    assert completions("model=t") == ["model=tcn", "model=transformer"]
    assert completions("task=seq") == ["task=sequential_digits", "task=sequential_mnist"]
    assert completions("optimizer=ada") == ["optimizer=adam", "optimizer=adamw"]
    assert completions("seed=") == []
    assert completions("optim") == [f"optimizer={name}" for name in catalogue.members("optimizer")]


def test_completion_lists_recipes_as_first_argument_only():
    assert "adding_tcn" in completions("adding")
    assert completions("seed=1", "adding") == []


def test_completion_lists_keys_of_selected_model_and_task():
    assert "model.kernel_size=" in completions("model.")
    assert completions("model=gru", "model.k") == []
    assert completions("model=gru", "model.h") == ["model.hidden="]
    assert completions("gru", "model.h") == ["model.hidden="]
    assert completions("adding_gru", "task.l") == ["task.length="]
    assert completions("task=npz", "task.s") == ["task.scaling="]
    assert not [word for word in completions("model.") if "scales" in word or "_target_" in word]


def test_completion_lists_keys_of_learner_and_optimizer():
    keys = set(completions("learner."))
    assert {"learner.players.model.clip=", "learner.players.model.optimizer.lr=", "learner.compile="} <= keys
    assert "learner.players.model.optimizer.alpha=" in completions("optimizer=rmsprop", "learner.")


def test_completion_lists_existing_keys_only():
    (point,) = compose.expand("train", ["tcn"])
    keys = [
        word.removesuffix("=") for word in [*completions("learner."), *completions("model."), *completions("task.")]
    ]
    assert len(keys) > 20
    for key in keys:
        OmegaConf.select(point.config, key, throw_on_missing=True)
        *above, last = key.split(".")
        assert last in OmegaConf.select(point.config, ".".join(above))


def test_completion_lists_models_of_local_conf(mine, tmp_path):
    assert completions("model=mi") == ["model=micro_cnn", "model=mine", "model=mixed_micro"]
    assert completions("model=mine", "model.") == ["model.hidden="]


def test_completion_lists_data_sets():
    assert completion.datasets("p") == ["poly-music", "ptb"]


SHELL = """
source <(_DLCLI_COMPLETE=source_bash PROG)
COMP_WORDS=(TYPED); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_dlcli_completion PROG
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("dlcli tra", ["train"]),
        ("dlcli train model = t", ["tcn", "transformer"]),  # bash splits arguments at =
        ("dlcli train model =", sorted(catalogue.members("model"))),
        ("dlcli train bigr", ["bigru"]),
        ("dlcli train model = gru model.hid", ["model.hidden="]),
        ("dlcli train --smo", ["--smoke"]),
        ("dlcli data fetch mn", ["mnist"]),
        ("dlcli nonsense mod", []),
    ],
)
def test_bash_completion(typed, expected, tmp_path):
    program = f"{sys.prefix}/bin/dlcli"
    script = SHELL.replace("PROG", program).replace("TYPED", typed)
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert sorted(done.stdout.split()) == expected, done.stderr
