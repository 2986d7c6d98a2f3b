"""Commands as Python functions."""

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


def test_train_returns_the_run(run, out):
    assert run.status == "completed"
    assert run.path.is_relative_to(out)
    assert (run.info["seed"], run.info["name"], run.info["tags"]) == (1, "mine", ["t"])


def test_table_contains_the_metrics(run):
    table = run.table()
    assert list(table.columns) == ["step", "split", "metric", "value"]
    last = table[(table.split == "valid") & (table.metric == "accuracy")].value.iloc[-1]
    assert last == run.info["metrics"]["valid"]["accuracy"]


def test_load_returns_the_trained_model_in_evaluation_mode(run):
    model = run.load()
    best = torch.load(run.path / "checkpoints/best.pt", weights_only=True)["model"]
    assert not model.training
    assert all(torch.equal(value, best[name]) for name, value in model.state_dict().items())
    assert model(torch.zeros(2, 1, 64)).shape == (2, 10)


def test_evaluate_repeats_the_recorded_metrics(run, out):
    assert dlcli.evaluate(run, out=out) == {"test": run.info["metrics"]["test"]}
    assert dlcli.evaluate("@t", split="valid", out=out) == {"valid": run.info["metrics"]["valid"]}


def test_find_returns_the_run(run, out):
    assert dlcli.find("@t", out=out).path.resolve() == run.path.resolve()
    assert dlcli.find("mine", out=str(out)).table().equals(run.table())


def test_train_with_a_list_of_seeds_returns_several_runs(out):
    runs = dlcli.train("tcn", seed=[3, 4], out=out, tags=["many"], **SMALL)
    assert [run.info["seed"] for run in runs] == [3, 4]
    groups = dlcli.compare("@many", out=out)
    assert groups.n.tolist() == [2]
    accuracies = [run.info["metrics"]["test"]["accuracy"] for run in runs]
    assert groups["mean"].iloc[0] == pytest.approx(np.mean(accuracies))


def test_train_writes_nothing_to_standard_output(out):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        dlcli.train("tcn", out=out, **SMALL)
    assert output.getvalue() == ""


def test_train_accepts_paths_lists_and_mappings(tmp_path):
    path = tmp_path / "it's, a (file).npz"
    np.savez(path, x=np.random.default_rng(0).normal(size=(60, 1, 8)), y=np.arange(60) % 2)
    settings = {**SMALL, "steps": None, "until": {"updates": 2}}
    run = dlcli.train("npz_tcn", out=tmp_path, task__path=path, patience=None, **settings)
    assert run.info["counters"]["updates"] == 2
    table = tmp_path / "predictions.csv"
    dlcli.evaluate(run, out=tmp_path, predictions=table)
    assert len(table.read_text().splitlines()) == 1 + 9


def test_train_raises_usage_error_for_invalid_overrides(tmp_path):
    calls = {
        "modle": lambda: dlcli.train("modle=tcn", out=tmp_path),
        "dropout": lambda: dlcli.train(model__dropout=1.5, out=tmp_path),
        "nothing": lambda: dlcli.evaluate("nothing", out=tmp_path),
    }
    for text, call in calls.items():
        with pytest.raises(UsageError) as error:
            call()
        assert text in str(error.value)
    assert not os.listdir(tmp_path)


def test_train_raises_exceptions_of_the_run(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("dlcli.engine.lifecycle.fit", broken)
    with pytest.raises(RuntimeError, match="on purpose"):
        dlcli.train("tcn", out=tmp_path, **SMALL)
    assert dlcli.find("last", out=tmp_path).status == "failed"


def test_train_accepts_a_config_dir(tmp_path):
    (tmp_path / "conf/model").mkdir(parents=True)
    packaged = Path(dlcli.__file__).parents[1] / "conf/model/tcn.yaml"
    (tmp_path / "conf/model/other.yaml").write_text(packaged.read_text())
    run = dlcli.train("model=other", out=tmp_path, config_dir=tmp_path / "conf", **SMALL)
    assert run.info["model"] == "other"
