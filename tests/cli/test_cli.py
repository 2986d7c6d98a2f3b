"""The command line as a newcomer meets it: what is written where, and with which exit code."""

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


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def runs(out):
    return sorted(path.parent for path in out.rglob("run.json"))


def test_help_names_every_verb():
    result = dlcli("--help")
    assert result.exit_code == 0
    for verb in ("train", "eval", "show", "config", "list", "compare", "data"):
        assert re.search(rf"\b{verb}\b", result.stdout)
    assert result.stderr == ""


@pytest.mark.parametrize("words", [["train"], ["eval"], ["show"], ["config"], ["list", "runs"], ["compare", "runs"]])
def test_every_verb_has_help(words):
    result = dlcli(*words, "--help")
    assert (result.exit_code, result.stderr) == (0, "")


def test_nothing_at_all_shows_the_help_and_no_empty_message():
    result = dlcli()
    assert "Usage" in result.stdout
    assert result.stderr == ""


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert dlcli("--version").stdout.strip() == f"dlcli {version('dlcli')}"


def test_training_prints_the_scores_and_the_place_of_the_run(tmp_path):
    result = dlcli("train", *SMALL, "--out", tmp_path, "--name", "first", "--tag", "a", "--tag", "b")
    assert result.exit_code == 0, result.stderr
    (run,) = runs(tmp_path)
    info = json.loads((run / "run.json").read_text())
    assert (info["name"], info["tags"], info["status"]) == ("first", ["a", "b"], "completed")
    last = result.stdout.splitlines()[-1]
    assert last == str(run)
    assert "test" in result.stdout
    assert f"{info['parameters']:,} parameters" in result.stdout


def test_json_is_all_that_is_on_standard_output(tmp_path):
    result = dlcli("train", *SMALL, "--out", tmp_path, "--json")
    info = json.loads(result.stdout)
    assert info["path"] == str(runs(tmp_path)[0])
    assert set(info["metrics"]) == {"valid", "test"}


def test_quiet_leaves_only_results(tmp_path):
    result = dlcli("train", *SMALL, "--out", tmp_path, "-q")
    assert result.stderr == ""
    assert str(runs(tmp_path)[0]) in result.stdout


def test_progress_none_is_silent_and_plain_says_how_it_ended(tmp_path):
    assert dlcli("train", *SMALL, "--out", tmp_path, "--progress", "none").stderr == ""
    plain = dlcli("train", *SMALL, "--out", tmp_path, "--progress", "plain")
    assert "completed at step 3" in plain.stderr


@pytest.mark.parametrize("more", [(), ("-m",), ("--multirun",)])
def test_commas_make_several_runs_with_and_without_m(tmp_path, more):
    result = dlcli("train", *more, *SMALL, "seed=0,1", "--out", tmp_path, "--progress", "none")
    assert result.exit_code == 0, result.stderr
    infos = [json.loads((run / "run.json").read_text()) for run in runs(tmp_path)]
    assert sorted(info["seed"] for info in infos) == [0, 1]
    assert len({info["signature"] for info in infos}) == 1


def test_one_failure_of_several_is_told_and_exits_5(tmp_path):
    result = dlcli("train", *SMALL, "model.kernel_size=0,3", "--out", tmp_path, "--progress", "none")
    assert result.exit_code == 5
    assert len(runs(tmp_path)) == 1
    assert "kernel_size" in result.stderr


def test_options_may_stand_anywhere(tmp_path):
    result = dlcli("train", "--out", tmp_path, "gru", "--smoke", "seed=3", "-q", "threads=1")
    assert result.exit_code == 0, result.stderr
    (run,) = runs(tmp_path)
    assert run.parent == tmp_path / "train" / "gru"


def test_smoke_is_the_recipe_s_own_short_version(tmp_path):
    assert dlcli("train", "adding_tcn", "--smoke", "threads=1", "-q", "--out", tmp_path).exit_code == 0
    info = json.loads((runs(tmp_path)[0] / "run.json").read_text())
    assert info["steps"] == 3


def test_weights_of_another_run_are_where_a_run_begins(tmp_path):
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
    (told,) = (info["init_from"] for info in infos.values() if info["init_from"])
    assert (told["run"], len(told["sha256"])) == (source, 64)


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


def test_the_bar_in_a_terminal_shows_step_loss_and_time_left(tmp_path):
    words = ["train", "threads=1", "model.channels=[4,4]", "until={seconds: 1}", "log_every=1", "--out", str(tmp_path)]
    output = in_a_terminal([sys.executable, "-m", "dlcli", *words])
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output)
    assert re.search(r"tcn .*step [1-9][\d,]*  loss \d\.\d+ .*left \d+:\d\d:\d\d", plain), plain[-2000:]
    assert "best valid accuracy" in plain
    assert "completed at step" in plain


def in_a_terminal(command):
    """What a command writes to a pseudo-terminal of 160 columns."""
    main, end = pty.openpty()
    more = {"COLUMNS": "160", "LINES": "40", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=os.environ | more)
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
