"""Plug-in code is imported only from trusted folders."""

import os
import shutil
import sys

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.config import catalogue, trust
from dlcli.core.errors import UsageError

MODEL = """
from pathlib import Path
from torch import nn
Path("ran").touch()

class Mean(nn.Module):
    def __init__(self, spec, *, hidden):
        super().__init__()
        self.net = nn.Linear(spec.inputs[0].width, spec.target.width)

    def forward(self, x):
        return self.net(x.mean(-1))
"""
RECIPE = """# @package _global_
# Mean on the embedded digits
defaults:
  - override /task: sequential_digits
  - override /model: trusted_mean
  - _self_
plugins: [trusted_mine]
until: {epochs: 1}
smoke: [steps=1]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv(trust.ENVIRONMENT, "")
    monkeypatch.setattr(catalogue, "_NOTED", set())
    folder = tmp_path / "project"
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "conf" / "experiment" / "train").mkdir(parents=True)
    (folder / "trusted_mine.py").write_text(MODEL)
    (folder / "conf/model/trusted_mean.yaml").write_text("# Mean\n_target_: trusted_mine.Mean\nhidden: 3\n")
    (folder / "conf/experiment/train/trusted_mean.yaml").write_text(RECIPE)
    monkeypatch.chdir(folder)
    yield folder
    sys.modules.pop("trusted_mine", None)


def dlcli(*words):
    result = CliRunner().invoke(app, [*words])
    return result.exit_code, result.stderr


def train(*words):
    return dlcli("train", "model=trusted_mean", "steps=1", "threads=1", *words)


def test_code_of_the_working_folder_is_not_imported(project):
    code, text = train()
    assert code == 2
    assert f"dlcli trust {project}" in text
    assert not (project / "ran").exists()


@pytest.mark.parametrize("words", [("--config-dir", "conf"), ("plugins=[trusted_mine]",)])
def test_options_of_a_command_trust_its_code(project, words):
    assert train(*words)[0] == 0
    assert (project / "ran").exists()


def test_trust_of_a_folder_holds_for_all_commands_until_it_is_removed(project, monkeypatch):
    assert dlcli("trust", ".")[0] == 0
    assert trust.listed() == [project]
    assert train()[0] == 0
    assert dlcli("eval", "last")[0] == 0
    assert dlcli("trust", ".", "--remove")[0] == 0
    sys.modules.pop("trusted_mine", None)
    assert dlcli("eval", "last")[0] == 2


def test_eval_refuses_the_code_of_an_untrusted_run(project, monkeypatch):
    assert train("--config-dir", "conf")[0] == 0
    monkeypatch.setenv(trust.ENVIRONMENT, "")
    (project / "ran").unlink()
    sys.modules.pop("trusted_mine", None)
    code, text = dlcli("eval", "last")
    assert (code, f"dlcli trust {project}" in text) == (2, True)
    assert not (project / "ran").exists()


def test_files_of_the_working_folder_never_replace_those_of_dlcli(project, caplog):
    shutil.copy(project / "conf/model/trusted_mean.yaml", project / "conf/model/mlp.yaml")
    code, text = dlcli("train", "model=mlp", "task=digits", "steps=1", "threads=1")
    assert code == 0, text
    assert "conf/model/mlp.yaml is not used" in caplog.text


def test_names_taken_from_the_working_folder_are_logged(project, caplog):
    train("plugins=[trusted_mine]")
    assert "taken from ./conf: " in caplog.text
    assert "model/trusted_mean.yaml" in caplog.text


def test_trust_of_a_missing_folder_and_a_damaged_list_are_errors(project):
    with pytest.raises(UsageError) as error:
        trust.add(project / "absent")
    assert error.value.code == "missing_file"
    trust.store().parent.mkdir(parents=True)
    trust.store().write_text("{")
    with pytest.raises(UsageError) as error:
        trust.listed()
    assert error.value.code == "damaged"


def test_subfolders_of_a_trusted_folder_are_trusted_and_siblings_are_not(project, monkeypatch):
    trust.add(project)
    assert trust.is_trusted(project / "deep" / "er")
    assert not trust.is_trusted(project.parent / f"{project.name}2")
    assert os.environ[trust.ENVIRONMENT] == ""
