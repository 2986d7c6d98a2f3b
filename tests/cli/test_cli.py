"""Command line: standard output, standard error, exit codes and run directories of the commands."""

import json
import os
import pty
import re
import select
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app

SMALL = ("threads=1", "model.channels=[4,4]", "steps=3")


def dlcli(*arguments):
    return CliRunner().invoke(app, [str(word) for word in arguments])


def runs(out):
    return sorted(path.parent for path in out.rglob("run.json"))


def test_help_lists_the_commands():
    result = dlcli("--help")
    assert result.exit_code == 0
    for command in ("train", "eval", "show", "config", "list", "compare", "data", "help"):
        assert re.search(rf"\b{command}\b", result.stdout)
    assert result.stderr == ""


COMMANDS = (["train"], ["eval"], ["show"], ["config"], ["list", "runs"], ["compare", "runs"], ["sketch", "query"])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_four_spellings(command):
    expected = dlcli(*command, "--help")
    assert (expected.exit_code, expected.stderr) == (0, "")
    for arguments in ([*command, "-h"], [*command, "help"], ["help", *command]):
        result = dlcli(*arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.splitlines()[2:] == expected.stdout.splitlines()[2:], arguments


@pytest.mark.parametrize("arguments", [["-h"], ["help"]])
def test_help_of_the_root_has_short_spellings(arguments):
    result = dlcli(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[2:] == dlcli("--help").stdout.splitlines()[2:]


def test_no_arguments_shows_the_help():
    result = dlcli()
    assert "Usage" in result.stdout
    assert result.stderr == ""


def test_version_equals_the_installed_version():
    from importlib.metadata import version

    assert dlcli("--version").stdout.strip() == f"dlcli {version('dlcli-lab')}"


def test_train_prints_scores_and_run_directory(tmp_path):
    result = dlcli("train", *SMALL, "--out", tmp_path, "--name", "first", "--tag", "a", "--tag", "b")
    assert result.exit_code == 0, result.stderr
    (run,) = runs(tmp_path)
    info = json.loads((run / "run.json").read_text())
    assert (info["name"], info["tags"], info["status"]) == ("first", ["a", "b"], "completed")
    last = result.stdout.splitlines()[-1]
    assert last == str(run)
    assert "test" in result.stdout
    assert f"{info['parameters']:,} parameters" in result.stdout


def test_json_is_the_only_standard_output(tmp_path):
    result = dlcli("train", *SMALL, "--out", tmp_path, "--json")
    info = json.loads(result.stdout)
    assert info["path"] == str(runs(tmp_path)[0])
    assert set(info["metrics"]) == {"valid", "test"}


def test_quiet_prints_only_results(tmp_path):
    result = dlcli("train", *SMALL, "--out", tmp_path, "-q")
    assert result.stderr == ""
    assert str(runs(tmp_path)[0]) in result.stdout


def test_progress_plain_prints_the_end_and_none_prints_nothing(tmp_path):
    assert dlcli("train", *SMALL, "--out", tmp_path, "--progress", "none").stderr == ""
    plain = dlcli("train", *SMALL, "--out", tmp_path, "--progress", "plain")
    assert "finished after 3 steps" in plain.stderr


@pytest.mark.parametrize("flag", [(), ("-m",), ("--multirun",)])
def test_comma_separated_values_start_several_runs(tmp_path, flag):
    result = dlcli("train", *flag, *SMALL, "seed=0,1", "--out", tmp_path, "--progress", "none")
    assert result.exit_code == 0, result.stderr
    infos = [json.loads((run / "run.json").read_text()) for run in runs(tmp_path)]
    assert sorted(info["seed"] for info in infos) == [0, 1]
    assert len({info["signature"] for info in infos}) == 1


def test_one_failed_run_of_several_exits_5(tmp_path):
    result = dlcli("train", *SMALL, "model.kernel_size=0,3", "--out", tmp_path, "--progress", "none")
    assert result.exit_code == 5
    assert len(runs(tmp_path)) == 1
    assert "kernel_size" in result.stderr


def test_options_are_accepted_at_any_position(tmp_path):
    result = dlcli("train", "--out", tmp_path, "gru", "--smoke", "seed=3", "-q", "threads=1")
    assert result.exit_code == 0, result.stderr
    (run,) = runs(tmp_path)
    assert run.parent == tmp_path / "train" / "gru"


def test_smoke_applies_the_recipe_s_smoke_size(tmp_path):
    assert dlcli("train", "adding_tcn", "--smoke", "threads=1", "-q", "--out", tmp_path).exit_code == 0
    info = json.loads((runs(tmp_path)[0] / "run.json").read_text())
    assert info["steps"] == 3


def test_init_from_copies_the_weights_of_a_run(tmp_path):
    import torch

    dlcli("train", *SMALL, "-q", "--out", tmp_path, "--tag", "first")
    result = dlcli("train", *SMALL, "lr=1e-12", "-q", "--init-from", "@first", "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    first, second = (
        torch.load(run / "checkpoints/best.pt", weights_only=True)["model"]
        for run in sorted(runs(tmp_path), key=lambda run: json.loads((run / "run.json").read_text())["started"])
    )
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    infos = {info["id"]: info for info in (json.loads((run / "run.json").read_text()) for run in runs(tmp_path))}
    (source,) = (info["id"] for info in infos.values() if info["init_from"] is None)
    (origin,) = (info["init_from"] for info in infos.values() if info["init_from"])
    assert (origin["run"], len(origin["sha256"])) == (source, 64)


def test_user_model_trains_from_three_small_files(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "mymodels", raising=False)
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/experiment/train").mkdir(parents=True)
    (tmp_path / "mymodels.py").write_text(
        "from torch import nn\n"
        "class Mean(nn.Module):\n"
        "    def __init__(self, spec, *, hidden):\n"
        "        super().__init__()\n"
        "        self.net = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, spec.target.width))\n"
        "    def forward(self, x):\n"
        "        return self.net(x.flatten(1))\n"
    )
    (tmp_path / "conf/model/mean.yaml").write_text("# Mine\n_target_: mymodels.Mean\nhidden: 8\nscales: hidden\n")
    (tmp_path / "conf/experiment/train/mean.yaml").write_text(
        "# @package _global_\n# Mine on digits\ndefaults:\n  - override /model: mean\n  - _self_\n"
        "plugins: [mymodels]\nuntil: {steps: 5}\nthreads: 1\nsmoke: [steps=2]\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    trained = dlcli("train", "model=mean", "budget=1000")
    assert trained.exit_code == 0, trained.stderr
    (run,) = runs(tmp_path / "outputs")
    assert run.parent.name == "mean"
    assert abs(json.loads((run / "run.json").read_text())["parameters"] - 1000) <= 20
    assert "hidden: 13" in (run / "config.yaml").read_text()
    scored = dlcli("eval", "last")
    assert scored.exit_code == 0, scored.stderr
    assert re.search(r"^mean +Mine$", dlcli("list", "models").stdout, re.M)


def test_progress_bar_shows_step_loss_and_time_left(tmp_path):
    arguments = [
        "train",
        "threads=1",
        "model.channels=[4,4]",
        "until={seconds: 1}",
        "log_every=1",
        "--out",
        str(tmp_path),
    ]
    output = run_in_terminal([sys.executable, "-m", "dlcli", *arguments])
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output)
    assert re.search(r"tcn .*step [1-9][\d,]*  loss \d\.\d+ .*left \d+:\d\d:\d\d", plain), plain[-2000:]
    assert "best valid accuracy" in plain
    assert "finished after" in plain


def run_in_terminal(command):
    """The output of a command in a pseudo-terminal of 160 columns."""
    main, end = pty.openpty()
    terminal = {"COLUMNS": "160", "LINES": "40", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=os.environ | terminal)
    os.close(end)
    chunks = []
    while process.poll() is None or select.select([main], [], [], 0.1)[0]:
        if select.select([main], [], [], 0.5)[0]:
            try:
                chunks.append(os.read(main, 65536))
            except OSError:
                break
    process.wait()
    os.close(main)
    return b"".join(chunks).decode()
