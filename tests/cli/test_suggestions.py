"""Suggestions for unknown commands: the command to type, old option names, missing arguments."""

import pytest
from typer.testing import CliRunner

from dlcli.cli import options, suggestions
from dlcli.cli.app import app


def dlcli(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("models", "dlcli list models"),
        ("Models", "dlcli list models"),
        ("models tcn", "dlcli list models tcn"),
        ("tasks", "dlcli list tasks"),
        ("runs list", "dlcli list runs"),
        ("test last", "dlcli eval last"),
        ("tune", "dlcli search tpe model=MODEL"),
        ("fit model=gru lr=1e-3", "dlcli train model=gru lr=1e-3"),
        ("data mnist", "dlcli data fetch mnist"),
        ("data MNIST", "dlcli data fetch mnist"),
        ("compare tcn lstm", "dlcli compare models model=tcn,lstm"),
        ("compare a1b2 c3d4", "dlcli compare runs a1b2 c3d4"),
        ("tcn", "dlcli train model=tcn"),
        ("TCN", "dlcli train model=tcn"),
        ("ga", "dlcli evolve ga"),
        ("datasets", "dlcli data list"),
        ("list datasets", "dlcli data list"),
        ("rm last", "dlcli runs rm last"),
        ("trian", '"train"'),
        ("list modles", '"list models"'),
        ("help trian", '"train"'),
        ("train model tcn", "dlcli train model=tcn"),
        ("train tcn.yaml", "dlcli train tcn"),
        ("train sales.csv", "task=csv task.path=sales.csv"),
        ("train --gpus 1", "device=cuda"),
        ("train model=TCN", '"tcn"'),
        ("train TCN", '"tcn"'),
    ],
)
def test_unknown_command_prints_the_command_to_type(arguments, command):
    result = dlcli(*arguments.split())
    assert result.exit_code == 2, result.stderr
    assert command in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("group", suggestions.OTHER_WORDS)
def test_suggested_commands_exist(group):
    for command in suggestions.OTHER_WORDS[group].values():
        names = [word for word in command.split() if word.islower() and "=" not in word and not word.startswith("-")]
        names = [name for name in names if name != "tpe"]
        assert dlcli("help", *names).exit_code == 0, command


def test_unknown_word_without_a_match_has_no_command_to_type():
    assert suggestions.command_to_type("", ["xyzzy"]) is None
    assert suggestions.command_to_type("runs", ["tcn"]) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["export", "last"], ["--to", "safetensors", "onnx", "torchexport"]),
        (["data", "fetch"], ["NAME", "mnist", "cifar-10"]),
        (["sketch", "query", "last"], ["QUESTION", "count", "bench"]),
    ],
)
def test_missing_argument_lists_the_choices(arguments, expected):
    result = dlcli(*arguments)
    assert result.exit_code == 2
    assert all(text in result.stderr for text in expected), result.stderr


def test_missing_run_lists_the_newest_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = ("threads=1", "model.channels=[4,4]", "steps=1", "-q")
    assert dlcli("train", *small).exit_code == 0
    (path,) = (path.parent for path in tmp_path.rglob("run.json"))
    assert path.name.rpartition("_")[2] in dlcli("show").stderr


def test_list_filters_names_ignoring_case():
    names = [line.split()[0] for line in dlcli("list", "models", "LST").stdout.splitlines()]
    assert "lstm" in names
    assert all("lst" in name for name in names)
    assert dlcli("list", "tasks", "xyzzy").stdout == ""


def test_old_option_names_are_replaced_with_a_note(capsys):
    renamed = options.with_new_names(["gru", "--on", "ray", "--needed", "--on=slurm", "--", "--needed"])
    assert renamed == ["gru", "--launcher", "ray", "--skip-existing", "--launcher=slurm", "--", "--needed"]
    assert capsys.readouterr().err.count("note: --on is now --launcher") == 2


def test_old_option_name_works_on_the_command_line():
    result = dlcli("train", "--on", "slrum", "--dry-run")
    assert result.exit_code == 2
    assert "--launcher" in result.stderr
    assert '"slurm"' in result.stderr
