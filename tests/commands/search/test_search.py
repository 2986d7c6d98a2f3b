"""`dlcli search` with tiny runs: results are independent of interruptions and jobs; the final evaluation."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlcli.commands import run
from dlcli.config import compose, run_config, search_points, sweeps
from dlcli.core.errors import UsageError
from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.runs import selectors
from dlcli.runs.run import Run

WORDS = [
    "device=cpu", "model.channels=2", "model.layers=2", "model.architecture=[0,0,1]", "task.batch=64",
    "until={steps: 6}", "retrain.until={steps: 4}", "candidates=6", "strategy.batch=2", "retrain.random=2",
    "retrain.seeds=2",
]  # fmt: skip


EVOLUTION = ["evolution", *WORDS, "strategy.population=3", "strategy.sample=2"]


def search(out, *words, base=EVOLUTION, **more):
    options = Options(out, verb="search", quiet=True, **more)
    (point,) = run_commands.points([*base, *words], options)
    return run_commands.start(point, options)


def table(run, *columns):
    with (run.path / "artifacts" / "architectures.csv").open() as file:
        return [tuple(row[name] for name in columns) for row in csv.DictReader(file)]


SURE = ("trial", "architecture", "words", "value", "status", "steps", "error")
"""All columns except times and random ids."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    run = search(tmp_path_factory.mktemp("whole"))
    assert run.info["status"] == "completed", run.info["reason"]
    return run


def test_search_stores_candidates_as_child_runs(whole):
    rows = table(whole, "trial", "architecture", "value", "status", "steps", "run")
    assert [row[0] for row in rows] == [str(number) for number in range(6)]
    for number, architecture, value, status, steps, path in rows:
        child = selectors.one(str(whole.path / path), whole.path)
        assert child.info["parent"] == whole.id
        assert child.info["verb"] == "train"
        assert child.info["trial"] == int(number)
        config = run_config.read(child.path / "config.yaml")
        assert config["model"]["architecture"] == [int(one) for one in architecture.split()]
        assert "strategy" not in config
        assert (status, steps) == ("completed", "6")
        assert float(value) == child.info["metrics"]["valid"]["accuracy"]


def test_search_retrains_best_random_and_hand_made_arms(whole, capsys):
    record = whole.info["search"]
    assert record["value"] == max(float(value) for (value,) in table(whole, "value"))
    assert record["cost"]["steps"] == 36
    assert record["random"]["cost"]["steps"] == 12
    for arm in {"found", "random", "hand-made"} - set(record["same"]):
        trained = selectors.scan(whole.path / "runs" / "train" / arm, children=True)
        assert sorted(run.info["seed"] for run in trained) == [1, 2]
        assert {run.info["steps"] for run in trained} == {4}
    run._print_run(whole, False, False)
    printed = capsys.readouterr().out
    assert "found" in printed
    assert "hand-made" in printed
    assert "random search" in printed
    assert f"--from-search {whole.path}" in printed


def test_from_search_trains_the_best_configuration(whole):
    options = Options(whole.path.parents[2], quiet=True, from_search=str(whole.path))
    points = run_commands.points(["seed=0,1", "steps=2"], options)
    best = search_points.best_overrides(whole.path / "artifacts" / "best.yaml")
    for seed, point in enumerate(points):
        config = point.resolved()
        assert f"model.architecture={config['model']['architecture']}".replace(" ", "") in best
        assert (config["seed"], config["until"]["steps"], config["model"]["channels"]) == (seed, 2, 2)
        assert run_commands.points(point.words, options)[0].resolved() == config
    run = run_commands.start(points[0], options)
    assert run.info["status"] == "completed"
    assert run.info["verb"] == "train"


@pytest.mark.slow
def test_search_result_is_independent_of_jobs(whole, tmp_path):
    run = search(tmp_path, "retrain.seeds=0", "retrain.random=0", jobs=2)
    assert table(run, *SURE) == table(whole, *SURE)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_search_resume_equals_an_uninterrupted_search(whole, tmp_path, number):
    words = [*EVOLUTION, "retrain.seeds=0", "retrain.random=0", "--out", str(tmp_path)]
    path = os.pathsep.join([str(Path(compose.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path}
    process = subprocess.Popen([sys.executable, "-m", "dlcli", "search", *words], env=env, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while len(list(tmp_path.glob("search/*/*/runs/train/candidate/*"))) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -9)
    (begun,) = selectors.scan(tmp_path)
    options = Options(tmp_path, verb="search", quiet=True)
    run = run_commands.resume(str(begun.path), (), options)
    assert run.info["status"] == "completed", run.info["reason"]
    assert table(run, *SURE) == table(whole, *SURE)


def test_search_records_failed_candidates(tmp_path):
    run = search(
        tmp_path, "over=[{key: learner.players.model.optimizer.lr, choices: ['0.01', '1e30']}]",
        "retrain.seeds=0", base=["random", *WORDS],
    )  # fmt: skip
    assert run.info["status"] == "completed"
    rows = table(run, "words", "status", "value")
    assert {status for words, status, _ in rows if words.endswith("1e30")} == {"diverged"}
    assert {status for words, status, _ in rows if words.endswith("0.01")} == {"completed"}
    assert len(rows) == 6


def test_halving_resumes_the_same_runs(tmp_path):
    run = search(tmp_path, "strategy.rungs=2", "retrain.seeds=0", "retrain.random=0", base=["halving", *WORDS])
    rows = table(run, "trial", "steps", "run")
    assert [steps for _, steps, _ in rows] == ["2"] * 6 + ["6"] * 2
    paths = {trial: path for trial, _, path in rows[:6]}
    assert all(paths[trial] == path for trial, _, path in rows[6:])
    assert run.info["search"]["cost"] == {
        "trials": 6, "steps": 20, "seconds": pytest.approx(run.info["search"]["cost"]["seconds"]),
    }  # fmt: skip
    assert json.loads((run.path / "run.json").read_text())["counters"] == {"trials": 6, "trial_steps": 20}


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["candidates=0"], "candidates must be"),
        (["limit.trial_steps=5"], "limit.trial_steps must be at least 6"),
        (["metric=blue"], "does not report the metric"),
        ([sweeps.over_override(["lr=interval(1e-4,1e-2)"])], "does not support --over"),
        (["model.architecture=[0,0,7]"], "model.architecture must be from 0 to 1"),
    ],
)
def test_search_rejects_invalid_options_before_a_run_exists(words, fragment, tmp_path):
    with pytest.raises(UsageError, match=fragment):
        search(tmp_path, *words)
    assert not list(tmp_path.iterdir())


def test_search_suggests_the_nearest_key(tmp_path):
    with pytest.raises(UsageError, match=r'unknown key lrr.*did you mean "lr"'):
        search(tmp_path, sweeps.over_override(["lrr=interval(1e-4,1e-2)"]), base=["tpe", "model=mlp"])


@pytest.mark.parametrize(
    ("words", "code"),
    [(["model.layers=3"], "unsupported"), (["candidates=5"], "invalid_value"), ([], "not_resumable")],
)
def test_search_resume_rejects_a_different_search(whole, words, code):
    with pytest.raises(UsageError) as error:
        run_commands.resume(str(whole.path), words, Options(whole.path.parents[2], verb="search", quiet=True))
    assert error.value.code == code


def test_over_accepts_hydra_grammar():
    word = sweeps.over_override(["lr=interval(1e-4,1e-2)", "a.b=range(16,129,16)", "optimizer=choice(adam,sgd)"])
    (point,) = compose.expand("search", ["tpe", word])
    assert point.resolved()["over"] == [
        {"key": "lr", "low": 1e-4, "high": 1e-2, "log": True, "whole": False},
        {"key": "a.b", "low": 16.0, "high": 128.0, "step": 16.0, "whole": True},
        {"key": "optimizer", "choices": ["adam", "sgd"]},
    ]
    assert "log:false" in sweeps.over_override(["a=interval(1,9)"])
    assert "log:false" in sweeps.over_override(["a=tag(linear,interval(1,1000))"])
    assert "log:true" in sweeps.over_override(["a=tag(log,interval(1,2))"])
    assert "whole:true" in sweeps.over_override(["a=int(interval(1,9))"])
    for text in ("lr=0.1", "lr", "lr=interval(1"):
        with pytest.raises(UsageError):
            sweeps.over_override([text])
    with pytest.raises(UsageError, match="twice"):
        sweeps.over_override(["a=choice(1,2)", "a=choice(3,4)"])


SHARED = [
    "device=cpu", "model=shared_macro", "learner=enas", "task=digits", "task.batch=64", "model.channels=2",
    "model.layers=2", "learner.players.controller.accumulate=2", "until={steps: 2}", "candidates=4", "log_every=1",
    "retrain.recipe=macro_cnn", "retrain.until={steps: 3}", "retrain.seeds=1", "retrain.finalists=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    run = search(tmp_path_factory.mktemp("shared"), base=SHARED)
    assert run.info["status"] == "completed", run.info["reason"]
    return run


def test_one_shot_search_selects_the_best_finalist_from_scratch(shared):
    record, rows = shared.info["search"], table(shared, "architecture", "shared", "alone", "steps", "status")
    assert [float(row[1]) for row in rows] == sorted((float(row[1]) for row in rows), reverse=True)
    assert [row[3] for row in rows] == ["3", "3", *[""] * (len(rows) - 2)]
    assert {row[4] for row in rows} == {"completed"}
    best = max(rows[:2], key=lambda row: float(row[2]))
    assert (record["value"], record["shared"]) == (float(best[2]), False)
    words = search_points.best_overrides(shared.path / "artifacts" / "best.yaml")
    assert f"model.architecture=[{best[0].replace(' ', ',')}]" in words
    for picture in ("cell", "reward", "entropy"):
        assert (shared.path / "artifacts" / f"{picture}.svg").read_text().startswith("<svg")
    (point,) = run_commands.points([], Options(shared.path.parents[2], from_search=str(shared.path)))
    config = point.resolved()
    assert config["model"]["_target_"].endswith("MacroCNN")
    assert (config["model"]["channels"], config["until"]) == (2, {"steps": 3})


def test_random_search_has_equal_cost(shared):
    record = shared.info["search"]
    assert record["cost"]["steps"] == shared.info["counters"]["batches"] + 2 * 3
    affordable = record["cost"]["steps"] // 3
    assert (record["random"]["cost"]["trials"], record["random"]["cost"]["steps"]) == (affordable, 3 * affordable)
    with (shared.path / "artifacts" / "beside.csv").open() as file:
        values = [float(row["value"]) for row in csv.DictReader(file)]
    assert max(values) == record["random"]["value"]
    assert record["agreement"]["candidates"] == affordable + 2
    assert [alone for _, alone in record["agreement"]["scores"][2:]] == values


def test_one_shot_search_ranks_by_the_selected_metric(tmp_path):
    run = search(tmp_path, "metric=nll", "retrain.finalists=0", "retrain.seeds=0", "retrain.random=0", base=SHARED)
    values = [float(value) for (value,) in table(run, "shared")]
    assert values == sorted(values)
    assert run.info["search"]["value"] == values[0]
    assert f"shared_nll: {values[0]}" in (run.path / "artifacts" / "best.yaml").read_text()


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["candidates=0"], "candidates must be an integer of at least 1"),
        (["limit.trial_steps=3"], "does not support limit"),
        (["metric=blue"], "does not report the metric"),
        ([sweeps.over_override(["lr=interval(1e-4,1e-2)"])], "does not support over"),
    ],
)
def test_one_shot_search_rejects_strategy_options(words, fragment, tmp_path):
    with pytest.raises(UsageError, match=fragment):
        search(tmp_path, *words, base=SHARED)
    assert not list(tmp_path.iterdir())


def test_one_shot_resume_rejects_an_earlier_stop(shared):
    options = Options(shared.path.parents[2], verb="search", quiet=True)
    with pytest.raises(UsageError, match=r"until\.steps must be at least 2"):
        run_commands.resume(str(shared.path), ["steps=1"], options)


@pytest.mark.slow
def test_extended_search_reports_only_its_own_arms(tmp_path, capsys):
    """The best candidate of the shorter search is no arm of the table, and no network is listed twice."""
    small = ["candidates=2", "retrain.random=1", "retrain.seeds=1", "model.architecture=[0,0,1]"]
    first = search(tmp_path, *small, base=["random", *WORDS])
    words = ["candidates=6", "retrain.random=1"]
    extended = run_commands.resume(str(first.path), words, Options(tmp_path, verb="search", quiet=True))
    assert extended.info["status"] == "completed", extended.info["reason"]
    record = extended.info["search"]
    assert {*record["arms"]} | {*record["same"]} == {"found", "hand-made"}
    run._print_run(extended, False, False)
    printed = capsys.readouterr().out
    assert sum(line.startswith("found ") for line in printed.splitlines()) <= 2
    trained = [run_config.read(extended.path / paths[0] / "config.yaml")["model"] for paths in record["arms"].values()]
    assert all(model != other for number, model in enumerate(trained) for other in trained[:number])


@pytest.mark.parametrize("recipe", ["enas", "darts"])
def test_one_shot_resume_rejects_changed_task(recipe, tmp_path):
    """Only the search space is fixed; the stopping rule may change."""
    (point,) = compose.expand("search", [recipe], smoke=True)
    run = Run.create(tmp_path, "search", recipe, run_config.dump(point.resolved()))
    run.finish("stopped", 130)
    with pytest.raises(UsageError, match=r"does not support a change of task"):
        run_commands.resume(str(run.path), ["task.batch=8"], Options(tmp_path, verb="search", quiet=True))
