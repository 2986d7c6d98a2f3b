"""`dlcli compare configs A B`."""

import json

import pytest
from made_runs import make_run
from typer.testing import CliRunner

from dlcli.cli.app import app


def dlcli(out, *words):
    return CliRunner().invoke(app, ["compare", "configs", *map(str, words), "--out", str(out)])


def differences(out):
    result = dlcli(out, "aaaaaa", "bbbbbb", "--json")
    assert result.exit_code == 0, (result.stderr, result.exception)
    return json.loads(result.stdout)


def test_compare_configs_of_equal_runs_is_empty(tmp_path):
    for identity in ("aaaaaa", "bbbbbb"):
        make_run(tmp_path, identity=identity)
    plain = differences(tmp_path)
    assert plain["same_experiment"] is True
    assert all(plain[section] == {} for section in ("configuration", "environment", "code", "data", "scores"))
    assert "same experiment" in dlcli(tmp_path, "aaaaaa", "bbbbbb").stdout


def test_compare_configs_contains_only_differences(tmp_path):
    one = make_run(tmp_path, seed=1, value=0.5, identity="aaaaaa", keys={"model.hidden": 8, "model.depth": 2})
    other = make_run(tmp_path, seed=2, value=0.75, identity="bbbbbb", keys={"model.hidden": None, "model.gate": True})
    facts = json.loads((other / "environment.json").read_text()) | {"threads": 2, "commit": "d" * 40, "dirty": True}
    (other / "environment.json").write_text(json.dumps(facts))
    (one / "git.patch").write_text("+same\n+mine\n")
    (other / "git.patch").write_text("+same\n+yours\n")
    plain = differences(tmp_path)
    assert plain["same_experiment"] is False
    assert plain["configuration"] == {
        "task.order": [1, 2], "learner.seed": [1, 2], "seed": [1, 2], "model.hidden": [8, None],
        "model.depth": [2, "-"], "model.gate": ["-", True],
    }  # fmt: skip
    assert plain["environment"] == {"threads": [1, 2]}
    assert plain["code"]["commit"] == ["c" * 40, "d" * 40]
    assert plain["code"]["dirty"] == ["-", True]
    assert plain["code"]["between"] == ["-+mine", "++yours"]
    assert plain["scores"] == {"test.accuracy": [0.5, 0.75], "valid.accuracy": [0.5, 0.75]}
    text = dlcli(tmp_path, "aaaaaa", "bbbbbb").stdout
    assert all(word in text for word in ("model.hidden", "8", "null", "threads", "++yours", "different experiments"))
    assert len(text.splitlines()) < 30


def test_compare_configs_reports_different_data(tmp_path):
    for identity in ("aaaaaa", "bbbbbb"):
        make_run(tmp_path, identity=identity, info={"core": identity, "signature": identity})
    assert "different data" in differences(tmp_path)["data"]["contents then"][0]


def test_compare_configs_compares_data_by_hash(tmp_path):
    for identity, text in (("aaaaaa", "1"), ("bbbbbb", "2")):
        file = tmp_path / f"{identity}.csv"
        file.write_text(text)
        make_run(tmp_path, identity=identity, keys={"task.path": str(file)})
    one, other = differences(tmp_path)["data"]["task.path"]
    assert one.startswith(str(tmp_path / "aaaaaa.csv sha256 6b86b273ff34"))
    assert "d4735e3a265e" in other


@pytest.mark.parametrize("name", ["config.yaml", "environment.json"])
def test_compare_configs_accepts_damaged_and_missing_files(tmp_path, name):
    (make_run(tmp_path, identity="aaaaaa") / name).write_text("[{")
    (make_run(tmp_path, identity="bbbbbb") / name).unlink()
    assert dlcli(tmp_path, "aaaaaa", "bbbbbb").exit_code == 0


def test_compare_configs_rejects_missing_runs(tmp_path):
    make_run(tmp_path, identity="aaaaaa")
    result = dlcli(tmp_path, "aaaaaa", "zzz")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "zzz" in result.stderr


@pytest.mark.parametrize("kind", ["weights", "patience"])
def test_compare_configs_agrees_with_compare_runs(tmp_path, kind):
    make_run(tmp_path, identity="aaaaaa", info={"signature": "same"})
    facts = {"init_from": {"run": "cccccc", "sha256": "d" * 64}} if kind == "weights" else {}
    keys = {"patience": 1} if kind == "patience" else {}
    make_run(tmp_path, identity="bbbbbb", keys=keys, info={"signature": "same", **facts})
    plain = differences(tmp_path)
    assert plain["same_experiment"] is False
    assert plain["configuration"] == (
        {"init_from": [None, "cccccc dddddddd"]} if kind == "weights" else {"patience": ["-", 1]}
    )
