"""Runs of a plug-in whose source changes between them."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app

MODEL = """
from torch import nn
from blocks import width

class Mean(nn.Module):
    def __init__(self, spec, *, hidden):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, width(hidden)), nn.ReLU(), nn.Linear(width(hidden), spec.target.width))
    def forward(self, x):
        return self.net(x.flatten(1))
"""
BLOCKS = "def width(hidden):\n    return hidden\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/experiment/train").mkdir(parents=True)
    (tmp_path / "conf/model/mean.yaml").write_text("# Mine\n_target_: mymodels.Mean\nhidden: 4\n")
    (tmp_path / "conf/experiment/train/mean.yaml").write_text(
        "# @package _global_\n# Mine\ndefaults:\n  - override /model: mean\n  - _self_\n"
        "plugins: [mymodels]\nuntil: {steps: 2}\nthreads: 1\n"
    )
    (tmp_path / "mymodels.py").write_text(MODEL)
    (tmp_path / "blocks.py").write_text(BLOCKS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("mymodels", "blocks"):
        sys.modules.pop(name, None)


def dlcli(*arguments, code=0):
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


def train(*arguments):
    return json.loads(dlcli("train", "mean", "--json", *arguments).stdout)


def edit(project):
    (project / "blocks.py").write_text(BLOCKS.replace("return hidden", "return 2 * hidden"))


def git(folder, *arguments):
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git is not available: {error}")


def test_compare_separates_runs_of_edited_plugin(project):
    first = train("seed=0")
    edit(project)
    second = train("seed=1")
    train("seed=2")
    assert second["parameters"] > first["parameters"]
    groups = json.loads(dlcli("compare", "runs", "--json").stdout)["groups"]
    assert sorted(group["n"] for group in groups) == [1, 2]


def test_load_replaces_plugin_of_another_folder(project, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "blocks.py").write_text("def width(hidden):\n    return 7\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(other))
        __import__("blocks")
    assert train("seed=0")["parameters"] == 4 * 64 + 4 + 4 * 10 + 10


def test_skip_existing_runs_again_after_edit(project):
    train("seed=0")
    reports = json.loads(dlcli("train", "mean", "seed=0", "--needed", "--json").stdout)
    edit(project)
    again = json.loads(dlcli("train", "mean", "seed=0", "--needed", "--json").stdout)
    assert len({report["run"] for report in (*reports, *again)}) == 2


def test_compare_configs_shows_the_difference_of_code(project):
    a = train()
    edit(project)
    b = train()
    comparison = json.loads(dlcli("compare", "configs", a["id"], b["id"], "--json").stdout)
    assert not comparison["same_experiment"]
    assert comparison["data"] == {}
    assert len(set(comparison["code"]["mymodels.Mean"])) == 2
    assert comparison["code"]["sources"] == [
        f"--- {a['id']}/blocks.py", f"+++ {b['id']}/blocks.py", "@@ -1,2 +1,2 @@", " def width(hidden):",
        "-    return hidden", "+    return 2 * hidden",
    ]  # fmt: skip
    assert "+    return 2 * hidden" in dlcli("compare", "configs", a["id"], b["id"]).stdout


@pytest.mark.parametrize(
    "arguments", [("train", "--resume", "last", "steps=4"), ("eval", "last"), ("export", "last", "--to", "torchexport")]
)
def test_eval_and_resume_reject_changed_code(project, arguments):
    train()
    edit(project)
    result = dlcli(*arguments, code=2)
    assert "mymodels.Mean" in result.stderr
    assert "blocks.py" in result.stderr
    (project / "blocks.py").write_text(BLOCKS)
    dlcli(*arguments)


def test_environment_records_commit_and_patch_of_plugin(project):
    for arguments in (["init", "-q"], ["add", "mymodels.py", "blocks.py"], ["commit", "-qm", "first"]):
        git(project, *arguments)
    (project / "blocks.py").write_text(BLOCKS + "# changed\n")
    run = project / train()["path"]
    environment = json.loads((run / "environment.json").read_text())
    facts = environment["plugins"]["mymodels"]
    assert (len(facts["commit"]), facts["dirty"]) == (40, True)
    assert "+# changed" in (run / "mymodels.patch").read_text()
    assert "pytest" in environment["packages"]
    assert (run / "code" / "blocks.py").read_text().endswith("# changed\n")
