"""Frozen, estimator, closure, staged and trained arms of one comparison, through the API."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import dlcli
from dlcli.cli.app import app
from dlcli.core.errors import UsageError
from dlcli.engine.options import Options
from dlcli.engine.resume import resume

FILES = {
    "task/sparse_codes.yaml": """# Sparse codes: y = D x with a known dictionary
_target_: helpers.ista.SparseCodes
train: 96
valid: 32
test: 64
batch: 16
order: ${seed}
""",
    "model/ista.yaml": """# ISTA: iterative shrinkage-thresholding (Daubechies et al. 2004)
_target_: helpers.ista.ISTA
steps: 200
penalty: 0.02
""",
    "model/kmeans.yaml": """# k-means: the nearest of the cluster centers
_target_: dlcli.models.estimator.scikit.ScikitEstimator
estimator:
  _target_: sklearn.cluster.KMeans
  n_clusters: 6
  n_init: 1
""",
}
ARMS = {
    "ista": ("model=ista", "learner=frozen"),
    "kmeans": ("model=kmeans", "learner=estimator"),
    "ridge": ("model=ridge", "learner=estimator"),
    "mlp": ("model=mlp", "epochs=2"),
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The outputs of one run per arm."""
    folder = tmp_path_factory.mktemp("arms")
    for name, text in FILES.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for words in ARMS.values():
        common = ("task=sparse_codes", "plugins=[helpers]", "threads=1", "device=cpu")
        dlcli.train(*common, *words, config_dir=folder / "conf", out=folder / "out", progress="none")
    return folder / "out"


def command(*words):
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == 0, (result.stderr, result.exception)
    return result.stdout


def info(out, model):
    runs = [json.loads(path.read_text()) for path in out.rglob("run.json")]
    return next(run for run in runs if run["model"] == model)


def test_untrained_and_fitted_arms_stand_in_one_table(out):
    groups = json.loads(command("compare", "runs", "--out", str(out), "--json"))["groups"]
    means = {group["model"]: group["values"][0] for group in groups}
    assert set(means) == set(ARMS)
    assert means["ista"] < min(means["ridge"], means["kmeans"], means["mlp"])


def test_frozen_run_has_no_parameters_and_one_step(out):
    run = info(out, "ista")
    assert (run["status"], run["steps"], run["parameters"]) == ("completed", 1, 0)
    assert run["reason"] == "Frozen finished"


def test_estimator_run_counts_its_fitted_tensors(out):
    assert info(out, "ridge")["parameters"] == 20 * 10 + 20
    assert info(out, "kmeans")["parameters"] == 6 * 10 + 6 * 20


@pytest.mark.parametrize("words", [[], ["steps=5"]])
def test_resume_of_a_finished_estimator_is_refused(out, words):
    run = info(out, "ridge")
    with pytest.raises(UsageError) as error:
        resume(run["id"], words, Options(out=out, show="none", quiet=True))
    assert error.value.code == "not_resumable"


def test_eval_restores_fitted_tensors(out):
    run = info(out, "kmeans")
    again = json.loads(command("eval", run["id"], "--out", str(out), "--json"))
    assert again["metrics"]["test"]["mse"] == run["metrics"]["test"]["mse"]


DIGITS = ("task=digits", "task.labels=60", "model=mlp", "model.hidden=[4]", "threads=1", "device=cpu")


def trained(tmp_path, *words):
    return dlcli.train(*words, out=tmp_path, progress="none")


def test_stages_run_through_the_command(tmp_path):
    limits = ("learner.stages.first.until.epochs=1", "learner.stages.second.until={steps: 2}")
    run = trained(tmp_path, *DIGITS, "learner=stages", *limits)
    assert (run.info["status"], run.info["reason"]) == ("completed", "Stages finished")
    assert run.info["steps"] == 4
    assert (Path(run.path) / "artifacts" / "stages.csv").read_text().splitlines()[1:] == [
        "first,Gradient,1,2,True", "second,Closure,3,4,True",
    ]  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_closure_run_is_scored_in_its_precision(tmp_path, precision):
    run = trained(tmp_path, *DIGITS, "learner=closure", "steps=2", f"precision={precision}")
    assert run.info["status"] == "completed"
    assert str(next(run.load().parameters()).dtype) == f"torch.{precision}"
    again = json.loads(command("eval", run.id, "--out", str(tmp_path), "--json"))
    assert again["metrics"]["test"] == run.info["metrics"]["test"]


@pytest.mark.slow
def test_stages_with_averages_and_closures_run_on_two_processes(tmp_path):
    words = (
        "learner=stages", "learner.stages.first.until={epochs: 1}",
        "learner.stages.second.until={steps: 2}", "learner.stages.first.learner.average=0.5", "precision=float64",
    )  # fmt: skip
    devices = [f"learner.stages.{stage}.learner.devices=2" for stage in ("first", "second")]
    runs = [trained(tmp_path, *DIGITS, *words, *more) for more in ((), devices)]
    assert [run.info["reason"] for run in runs] == ["Stages finished"] * 2
    one, two = (torch.cat([value.flatten() for value in run.load().parameters()]) for run in runs)
    assert torch.allclose(one, two, atol=1e-9)
