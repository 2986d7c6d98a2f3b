"""`dlcli evolve`: artifacts, output and invalid input."""

import csv
import json

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app

SMALL = ("learner.population=16", "learner.parents=4", "learner.candidates=2", "steps=3", "task.test_episodes=3")


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    result = dlcli("evolve", "ga", *SMALL, "log_every=3", "-q", "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


def the_run(out, verb="evolve"):
    (path,) = out.glob(f"{verb}/*/*/run.json")
    return path.parent


def test_evolve_writes_population_curves_and_image(out):
    run = the_run(out)
    with (run / "artifacts/population.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["generation"]) for row in rows] == [0] * 16 + [1] * 16 + [2] * 16
    assert (run / "artifacts/final_positions.png").read_bytes().startswith(b"\x89PNG")
    assert (run / "artifacts/fitness.svg").read_text().startswith("<svg")
    best = max(float(row["fitness"]) for row in rows)
    assert json.loads((run / "artifacts/training.json").read_text()) == {"maximum": best}


def test_eval_prints_interval_and_training_maximum(out):
    result = dlcli("eval", the_run(out), "--out", out / "scored")
    assert result.exit_code == 0
    assert "95 % CI (n = 3)" in result.output
    assert "training maximum" in result.output
    info = json.loads((the_run(out / "scored", "eval") / "run.json").read_text())
    maximum = json.loads((the_run(out) / "artifacts/training.json").read_text())["maximum"]
    assert info["training_maximum"] == maximum
    assert info["intervals"]["test"]["return"]["rows"] == 3


def test_evolve_prints_next_command_and_remark(tmp_path):
    result = dlcli("evolve", "ga", *SMALL, "--progress", "none", "--out", tmp_path)
    assert f"next: dlcli eval {the_run(tmp_path)} --render episode.gif" in result.output
    assert "proves nothing" in result.output


def test_evolve_resume_is_exact(tmp_path):
    for name, steps in (("whole", 4), ("halves", 2)):
        words = ["novelty", *SMALL, f"steps={steps}"]
        assert dlcli("evolve", *words, "-q", "--out", tmp_path / name).exit_code == 0
    assert dlcli("evolve", "--resume", the_run(tmp_path / "halves"), "steps=4", "-q").exit_code == 0
    for file in ("metrics.csv", "artifacts/population.csv", "artifacts/final_positions.png", "artifacts/fitness.svg"):
        assert (the_run(tmp_path / "whole") / file).read_bytes() == (the_run(tmp_path / "halves") / file).read_bytes()


def test_evolve_accepts_supervised_tasks(tmp_path):
    result = dlcli("evolve", "ga", "task=digits", "model=mlp", *SMALL[:4], "--progress", "none", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "--render" not in result.output
    assert "accuracy" in result.output


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["ga", "learner.parents=30"], "parents"),
        (["ga", "learner.sigma=0.0"], "sigma"),
        (["ga", "precision=bfloat16"], "float32"),
        (["ga", "task=hard_maz"], "hard_maze"),
        (["gaa"], "ga"),
        (["tcn"], "dlcli train tcn"),
        (["ga", "model=tcn"], "TCN"),
        (["novelty", "learner=gradient"], "requires a task with a loss"),
    ],
)
def test_evolve_rejects_invalid_input_without_a_run(words, fragment, tmp_path):
    small = [word for word in SMALL if word.partition("=")[0] not in {override.partition("=")[0] for override in words}]
    plain = [] if len(words) > 1 and words[1] == "learner=gradient" else small
    result = dlcli("evolve", *words, *(plain if len(words) > 1 else []), "-q", "--out", tmp_path)
    assert result.exit_code == 2
    assert fragment in result.output
    assert not list(tmp_path.glob("**/run.json"))


def test_train_does_not_resume_an_evolve_run(out):
    result = dlcli("train", "--resume", the_run(out), "steps=9")
    assert result.exit_code == 2
    assert "dlcli evolve --resume" in result.output
