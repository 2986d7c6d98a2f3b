"""Models, tasks and recipes by name, read from the first lines of YAML files; completion on top of them."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from dlcli.cli import completion
from dlcli.config import catalogue, compose
from dlcli.core.errors import Missing


def offered(*words):
    """What is offered for the last word, as in zsh, where words are broken at blanks alone."""
    return completion.words(SimpleNamespace(params={"words": words[:-1]}), words[-1])


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/mine.yaml").write_text("# @package _group_\n# My own model\nhidden: 3\nscales: hidden\n")
    (tmp_path / "conf/model/tcn.yaml").write_text("# My TCN\nwidth: 3\n")
    return tmp_path / "conf"


def test_members_of_the_working_folder_add_names_only(mine):
    found = catalogue.members("model")
    assert found["mine"] == mine / "model/mine.yaml"
    assert found["tcn"].is_relative_to(catalogue.packaged())
    assert found["gru"].is_relative_to(catalogue.packaged())
    assert list(found) == sorted(found)


def test_named_folder_comes_before_all_others(mine, tmp_path):
    (tmp_path / "named/model").mkdir(parents=True)
    (tmp_path / "named/model/tcn.yaml").write_text("# Another\n")
    assert catalogue.folders([tmp_path / "named"]) == [tmp_path / "named", catalogue.packaged(), mine]
    assert catalogue.members("model", [tmp_path / "named"])["tcn"].is_relative_to(tmp_path / "named")


def test_a_folder_that_is_not_there_is_missing(tmp_path):
    with pytest.raises(Missing, match="no folder"):
        catalogue.folders([tmp_path / "none"])


def test_the_description_is_the_first_comment_that_is_not_hydra_s(mine, tmp_path):
    assert catalogue.describe(mine / "model/mine.yaml") == "My own model"
    (tmp_path / "plain.yaml").write_bytes(b"a: 1\n# \xff late\n")
    assert catalogue.describe(tmp_path / "plain.yaml") == ""


def test_members_of_a_group_are_offered_behind_its_name():
    assert offered("model=t") == ["model=tcn", "model=transformer"]
    assert offered("task=seq") == ["task=sequential_digits", "task=sequential_mnist"]
    assert offered("optimizer=ada") == ["optimizer=adam", "optimizer=adamw"]
    assert offered("seed=") == []
    assert offered("optim") == [f"optimizer={name}" for name in catalogue.members("optimizer")]


def test_recipes_are_offered_as_the_first_word_only():
    assert "adding_tcn" in offered("adding")
    assert offered("seed=1", "adding") == []


def test_the_keys_of_the_chosen_model_and_task_are_offered():
    assert "model.kernel_size=" in offered("model.")
    assert offered("model=gru", "model.k") == []
    assert offered("model=gru", "model.h") == ["model.hidden="]
    assert offered("gru", "model.h") == ["model.hidden="]
    assert offered("adding_gru", "task.l") == ["task.length="]
    assert offered("task=npz", "task.s") == ["task.scaling="]
    assert not [word for word in offered("model.") if "scales" in word or "_target_" in word]


def test_the_keys_of_the_learner_and_its_optimizer_are_offered():
    found = offered("learner.")
    assert {"learner.players.model.clip=", "learner.players.model.optimizer.lr=", "learner.compile="} <= set(found)
    assert "learner.players.model.optimizer.alpha=" in offered("optimizer=rmsprop", "learner.")


def test_what_is_offered_can_be_typed():
    (point,) = compose.expand("train", ["tcn"])
    keys = [word.removesuffix("=") for word in [*offered("learner."), *offered("model."), *offered("task.")]]
    assert len(keys) > 20
    for key in keys:
        OmegaConf.select(point.config, key, throw_on_missing=True)
        *above, last = key.split(".")
        assert last in OmegaConf.select(point.config, ".".join(above))


def test_a_user_s_own_models_are_offered_too(mine, tmp_path):
    assert offered("model=mi") == ["model=micro_cnn", "model=mine", "model=mixed_micro"]
    assert offered("model=mine", "model.") == ["model.hidden="]


def test_data_sets_are_offered():
    assert completion.datasets("p") == ["poly-music", "ptb"]


SHELL = """
source <(_DLCLI_COMPLETE=source_bash PROG)
COMP_WORDS=(TYPED); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_dlcli_completion PROG
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("dlcli tra", ["train"]),
        ("dlcli train model = t", ["tcn", "transformer"]),  # bash breaks words at =
        ("dlcli train model =", sorted(catalogue.members("model"))),
        ("dlcli train bigr", ["bigru"]),
        ("dlcli train model = gru model.hid", ["model.hidden="]),
        ("dlcli train --smo", ["--smoke"]),
        ("dlcli data fetch mn", ["mnist"]),
        ("dlcli nonsense mod", []),
    ],
)
def test_bash_completes(words, wanted, tmp_path):
    program = f"{sys.prefix}/bin/dlcli"
    script = SHELL.replace("PROG", program).replace("TYPED", words)
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert sorted(done.stdout.split()) == wanted, done.stderr
