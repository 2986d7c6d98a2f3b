"""`dlcli eval`: a completed run on its own and on other data."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app

SMALL = ("threads=1", "model.channels=[4,4]", "steps=3")


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def info(out, verb):
    return [json.loads(path.read_text()) for path in sorted(out.rglob(f"{verb}/**/run.json"))]


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits")
    assert dlcli("train", *SMALL, "-q", "--out", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A run that forecasts a column, and its training data."""
    out = tmp_path_factory.mktemp("series")
    table(out / "old.csv", 300, shift=0)
    words = ("csv_tcn", f"task.path={out}/old.csv", "task.target=level", *SMALL)
    result = dlcli("train", *words, "-q", "--out", out)
    assert result.exit_code == 0, result.stderr
    return out


def table(path, rows, shift, columns="step,level"):
    values = 10 * np.sin(np.arange(rows) / 5) + shift
    path.write_text("\n".join([columns, *(f"{step},{value:.4f}" for step, value in enumerate(values))]) + "\n")


def test_eval_reproduces_the_test_score(digits):
    result = dlcli("eval", "last", "--json", "--out", digits)
    (trained,) = info(digits, "train")
    scored = json.loads(result.stdout)
    assert scored["metrics"]["test"] == trained["metrics"]["test"]
    assert scored["parent"] == trained["id"]


def test_eval_writes_its_own_run(digits):
    (path,) = [path.parent for path in digits.rglob("train/**/run.json")]
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    result = dlcli("eval", path, "--split", "valid", "--name", "again", "--tag", "x", "--out", digits)
    assert result.exit_code == 0, result.stderr
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    new = [one for one in info(digits, "eval") if one["name"] == "again"]
    assert [list(one["metrics"]) for one in new] == [["valid"]]


def test_eval_is_independent_of_the_batch_size(digits):
    scores = [json.loads(dlcli("eval", "last", f"batch={size}", "--json", "--out", digits).stdout) for size in (7, 300)]
    first, second = (one["metrics"]["test"] for one in scores)
    assert first["accuracy"] == second["accuracy"]
    assert first["nll"] == pytest.approx(second["nll"], rel=1e-6)


def test_eval_predictions_have_one_row_per_sample(digits, tmp_path):
    result = dlcli("eval", "last", "--predictions", tmp_path / "p.csv", "--out", digits, "--json")
    assert result.exit_code == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    assert len(rows) == 300
    right = [row["target"] == row["prediction"] for row in rows]
    assert np.mean(right) == pytest.approx(json.loads(result.stdout)["metrics"]["test"]["accuracy"])


def test_eval_reuses_normalization_fitted_on_train(series, tmp_path):
    table(tmp_path / "new.csv", 200, shift=0)
    table(tmp_path / "high.csv", 200, shift=1000)
    score = {}
    for name in ("new", "high"):
        result = dlcli("eval", "last", f"task.path={tmp_path}/{name}.csv", "--json", "--out", series)
        assert result.exit_code == 0, result.stderr
        (score[name],) = json.loads(result.stdout)["metrics"].values()
    metric = next(name for name in score["new"] if name in ("mae", "rmse"))
    assert score["high"][metric] > 20 * score["new"][metric]


def test_eval_predictions_cover_a_new_file(series, tmp_path):
    table(tmp_path / "new.csv", 100, shift=0)
    words = ("eval", "last", f"task.path={tmp_path}/new.csv", "--predictions", tmp_path / "p.csv", "--out", series)
    result = dlcli(*words)
    assert result.exit_code == 0, result.stderr
    rows = list(csv.reader((tmp_path / "p.csv").open()))
    assert len(rows) - 1 == 100 - 24


def test_eval_rejects_a_different_spec_field_by_field(series, tmp_path):
    before = len(info(series, "eval"))
    (tmp_path / "none.csv").write_text("step,other\n" + "\n".join(f"{step},{step % 7}" for step in range(100)))
    (tmp_path / "short.csv").write_text("step,level\n1,2\n")
    for name in ("none", "missing", "short"):
        result = dlcli("eval", "last", f"task.path={tmp_path}/{name}.csv", "--out", series)
        assert result.exit_code == 2, (name, result.exception)
        assert 1 <= len(result.stderr.splitlines()) <= 5
    assert len(info(series, "eval")) == before


def test_eval_names_the_changed_spec(digits):
    result = dlcli(
        "eval", "last", "task._target_=dlcli.tasks.sequence.sequential_mnist.SequentialMNIST", "--out", digits
    )
    assert result.exit_code == 2
    result = dlcli("eval", "last", "+task.length=3", "--out", digits)
    assert result.exit_code == 2
    assert "length" in result.stderr


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["model.channels=[3]"], "overriding model.channels"),
        (["seed=3"], "overriding seed"),
        (["hidden=5"], "overriding hidden"),
        (["nonsense"], "key=value"),
        (["task.bach=3"], '"task.batch"'),
        (["task.batch=0"], "batch"),
        (["task.batch=1,2"], "one value"),
        (["threads=no"], "threads"),
        (["threads=0"], "threads"),
        (["device=tpu"], "tpu"),
        (["--split", "tset"], "test"),
        (["--predictions", "/no/such/p.csv"], "/no/such/p.csv"),
        (["--predictions", "/"], "--predictions"),
    ],
)
def test_eval_rejects_invalid_input_without_a_run(digits, words, fragment):
    before = len(info(digits, "eval"))
    result = dlcli("eval", "last", *words, "--out", digits)
    assert result.exit_code == 2, result.exception
    assert fragment in result.stderr
    assert len(info(digits, "eval")) == before


@pytest.fixture
def copied(tmp_path):
    assert dlcli("train", *SMALL, "-q", "--out", tmp_path).exit_code == 0
    (path,) = [path.parent for path in tmp_path.rglob("run.json")]
    return path


def test_eval_rejects_damaged_runs(copied, tmp_path):
    best, config = copied / "checkpoints/best.pt", copied / "config.yaml"
    whole, text = best.read_bytes(), config.read_text()
    for path, content in [
        (best, whole[: len(whole) // 2]), (best, b""), (best, b"cos\nsystem\n(S'true'\ntR."), (config, b""),
        (config, text[: len(text) // 2].encode()), (config, b"\xff\xfe\x00"),
        (config, text.replace("tcn.TCN", "gru.GRU").encode()),
    ]:  # fmt: skip
        path.write_bytes(content)
        result = dlcli("eval", copied, "--out", tmp_path)
        assert result.exit_code == 2, (path.name, content[:20], result.exception)
        assert 1 <= len(result.stderr.splitlines()) <= 5
        best.write_bytes(whole)
        config.write_text(text)
    best.unlink()
    assert "has not saved this checkpoint" in dlcli("eval", copied, "--out", tmp_path).stderr
    config.unlink()
    assert dlcli("eval", copied, "--out", tmp_path).exit_code == 2
    assert not info(tmp_path, "eval")
