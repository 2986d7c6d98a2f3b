"""The verbs from Python."""

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import dlcli
from dlcli.core.errors import UsageError

SMALL = {"threads": 1, "steps": 3, "model__channels": [4, 4], "progress": "none"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(out):
    return dlcli.train("model=tcn", seed=1, out=out, name="mine", tags=["t"], **SMALL)


def test_training_gives_the_run(run, out):
    assert run.status == "completed"
    assert run.path.is_relative_to(out)
    assert (run.info["seed"], run.info["name"], run.info["tags"]) == (1, "mine", ["t"])


def test_the_table_of_a_run_is_its_metrics(run):
    table = run.table()
    assert list(table.columns) == ["step", "split", "metric", "value"]
    last = table[(table.split == "valid") & (table.metric == "accuracy")].value.iloc[-1]
    assert last == run.info["metrics"]["valid"]["accuracy"]


def test_the_loaded_model_is_trained_and_in_evaluation_mode(run):
    model = run.load()
    best = torch.load(run.path / "checkpoints/best.pt", weights_only=True)["model"]
    assert not model.training
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())
    assert model(torch.zeros(2, 1, 64)).shape == (2, 10)


def test_scoring_a_run_gives_its_own_numbers(run, out):
    assert dlcli.evaluate(run, out=out) == {"test": run.info["metrics"]["test"]}
    assert dlcli.evaluate("@t", split="valid", out=out) == {"valid": run.info["metrics"]["valid"]}


def test_a_run_is_found_again(run, out):
    assert dlcli.find("@t", out=out).path.resolve() == run.path.resolve()
    assert dlcli.find("mine", out=str(out)).table().equals(run.table())


def test_a_list_of_seeds_is_several_runs(out):
    found = dlcli.train("tcn", seed=[3, 4], out=out, tags=["many"], **SMALL)
    assert [one.info["seed"] for one in found] == [3, 4]
    groups = dlcli.compare("@many", out=out)
    assert groups.n.tolist() == [2]
    assert groups["mean"].iloc[0] == pytest.approx(np.mean([one.info["metrics"]["test"]["accuracy"] for one in found]))


def test_nothing_is_written_to_standard_output(out):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        dlcli.train("tcn", out=out, **SMALL)
    assert said.getvalue() == ""


def test_paths_lists_and_mappings_are_values_not_words(tmp_path):
    path = tmp_path / "it's, a (file).npz"
    np.savez(path, x=np.random.default_rng(0).normal(size=(60, 1, 8)), y=np.arange(60) % 2)
    settings = {**SMALL, "steps": None, "until": {"updates": 2}}
    run = dlcli.train("npz_tcn", out=tmp_path, task__path=path, patience=None, **settings)
    assert run.info["counters"]["updates"] == 2
    table = tmp_path / "predictions.csv"
    dlcli.evaluate(run, out=tmp_path, predictions=table)
    assert len(table.read_text().splitlines()) == 1 + 9


def test_wrong_words_are_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="modle"):
        dlcli.train("modle=tcn", out=tmp_path)
    with pytest.raises(UsageError, match="dropout"):
        dlcli.train(model__dropout=1.5, out=tmp_path)
    with pytest.raises(UsageError, match="nothing"):
        dlcli.evaluate("nothing", out=tmp_path)
    assert not os.listdir(tmp_path)


def test_what_goes_wrong_while_training_is_raised(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("dlcli.engine.lifecycle.fit", broken)
    with pytest.raises(RuntimeError, match="on purpose"):
        dlcli.train("tcn", out=tmp_path, **SMALL)
    assert dlcli.find("last", out=tmp_path).status == "failed"


def test_a_folder_of_one_s_own_may_be_named(tmp_path):
    (tmp_path / "conf/model").mkdir(parents=True)
    packaged = Path(dlcli.__file__).parents[1] / "conf/model/tcn.yaml"
    (tmp_path / "conf/model/other.yaml").write_text(packaged.read_text())
    run = dlcli.train("model=other", out=tmp_path, config_dir=tmp_path / "conf", **SMALL)
    assert run.info["model"] == "other"
