"""Re-run saved configurations with changes: `train RUN/config.yaml KEY=VALUE` and `train --from RUN`."""

import json

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.config import provenance, run_config
from dlcli.config.compose import expand
from dlcli.core.errors import UsageError

SMALL = ("task=adding", "task.length=8", "task.train=16", "task.valid=8", "task.test=8", "model=tcn",
         "model.channels=[4,4]", "steps=2", "threads=1", "device=cpu")  # fmt: skip


def save(folder, command, *overrides):
    (point,) = expand(command, overrides)
    (folder / "config.yaml").write_text(run_config.dump(point.resolved()))
    (folder / "run.json").write_text(json.dumps({"task": point.choices["task"], "model": point.choices["model"]}))
    return str(folder / "config.yaml")


def test_saved_configuration_without_changes_is_the_same(tmp_path):
    path = save(tmp_path, "train", "gru", "lr=0.5")
    (point,) = expand("train", [path])
    assert point.resolved() == run_config.read(tmp_path / "config.yaml")
    assert (point.label, point.words) == ("sequential_digits_gru", (path,))


def test_seed_of_a_saved_configuration_changes_everything_that_refers_to_it(tmp_path):
    points = expand("train", [save(tmp_path, "train", "gru"), "seed=3,4", "lr=0.25"])
    configs = [point.resolved() for point in points]
    assert [(first["seed"], first["learner"]["seed"], first["task"]["order"]) for first in configs] == [
        (3, 3, 3),
        (4, 4, 4),
    ]
    assert configs[0]["learner"]["players"]["model"]["optimizer"]["lr"] == 0.25


def test_member_of_a_saved_configuration_can_be_replaced(tmp_path):
    path = save(tmp_path, "train", "gru")
    (point,) = expand("train", [path, "model=lstm", "optimizer=sgd", "steps=7"])
    config = point.resolved()
    assert config["model"]["_target_"].endswith("LSTM")
    assert config["learner"]["players"]["model"]["optimizer"]["_target_"] == "torch.optim.SGD"
    assert config["until"] == {"steps": 7}
    assert point.choices["model"] == "lstm"


def test_overrides_of_a_saved_configuration_reproduce_it(tmp_path):
    (point,) = expand("train", [save(tmp_path, "train", "gru"), "seed=3"])
    (again,) = expand("train", point.words)
    assert again.resolved() == point.resolved()


def test_solved_widths_of_a_budget_are_kept(tmp_path):
    (tmp_path / "config.yaml").write_text(run_config.dump(expand("train", ["gru"])[0].resolved() | {"budget": 70_000}))
    (point,) = expand("train", [str(tmp_path / "config.yaml")])
    assert point.resolved()["budget"] is None
    (point,) = expand("train", [str(tmp_path / "config.yaml"), "budget=5000"])
    assert "scales" in point.resolved()["model"]


def test_provenance_names_the_saved_file_or_the_command_line(tmp_path):
    path = save(tmp_path, "train", "gru")
    (point,) = expand("train", [path, "seed=3"])
    result = provenance.sources(point)
    assert (result["model.hidden"], result["seed"]) == (path, "command line")


def test_saved_configuration_of_another_command_raises_usage_error(tmp_path):
    path = save(tmp_path, "search", "random")
    with pytest.raises(UsageError) as error:
        expand("train", [path])
    assert error.value.code == "unsupported"
    assert error.value.fields["hint"] == f"dlcli search {path}"


def test_train_from_a_run_repeats_it_with_changes(tmp_path):
    def dlcli(*overrides):
        result = CliRunner().invoke(app, ["train", *overrides, "--out", str(tmp_path), "--progress", "none", "--json"])
        assert result.exit_code == 0, (result.stderr, result.exception)
        return json.loads(result.stdout)

    first = dlcli(*SMALL)
    again = dlcli("--from", "last")
    other = dlcli("--from", first["id"], "lr=0.5", "seed=1")
    assert again["signature"] == first["signature"]
    assert again["metrics"] == first["metrics"]
    assert other["signature"] != first["signature"]
    assert (other["seed"], other["task"], other["model"]) == (1, "adding", "tcn")
    refused = CliRunner().invoke(app, ["train", "tcn", "--from", first["id"], "--out", str(tmp_path)])
    assert refused.exit_code == 2
