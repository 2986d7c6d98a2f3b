"""`dlcli train` with one or several points: dry runs, sweeps, failures and resume."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.commands import run
from dlcli.core.errors import UsageError
from dlcli.core.executor import JobResult
from dlcli.engine.options import Options
from dlcli.launch import sweep_runner
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep, list_sweeps

SMALL = ("threads=1", "model.channels=[4,4]", "steps=3")


def dlcli(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_dry_run_prints_sizes_and_times_and_writes_nothing(tmp_path):
    result = dlcli("train", "--dry-run", *SMALL, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "402 parameters" in result.stdout
    assert "receptive field (31 steps)" in result.stdout
    assert "3 steps of" in result.stdout
    assert not list(tmp_path.iterdir())


def test_dry_run_json_has_a_row_per_point(tmp_path):
    result = dlcli("train", "--dry-run", *SMALL, "seed=0,1", "--json", "--out", tmp_path)
    rows = json.loads(result.stdout)
    assert [row["words"][-1] for row in rows] == ["seed=0", "seed=1"]
    assert all((row["steps"], row["parameters"]) == (3, 402) for row in rows)
    assert all(0 < row["seconds"] < 60 for row in rows)


def test_dry_run_converts_epochs_to_steps(tmp_path):
    (row,) = json.loads(dlcli("train", "--dry-run", *SMALL[:2], "epochs=2", "batch=100", "--json").stdout)
    assert row["steps"] == 2 * 12


def test_dry_run_applies_the_budget():
    (row,) = json.loads(dlcli("train", "--dry-run", "gru", "budget=5000", "threads=1", "--json").stdout)
    assert abs(row["parameters"] - 5000) <= 100


def test_sweep_json_reports_are_ordered(tmp_path):
    words = ("train", *SMALL, "model.kernel_size=3,0,2", "--out", tmp_path, "--json", "-q")
    result = dlcli(*words)
    reports = json.loads(result.stdout)
    assert [report["exit_code"] for report in reports] == [0, 2, 0]
    assert reports[1]["run"] is None
    assert "kernel_size" in reports[1]["error"]
    assert result.exit_code == 5


def test_sweep_exits_with_2_if_every_point_is_invalid(tmp_path):
    assert dlcli("train", *SMALL, "model.kernel_size=0,1", "--out", tmp_path).exit_code == 2
    assert not list(tmp_path.rglob("run.json"))


def test_sweep_fail_fast_does_not_count_unstarted_points(tmp_path):
    words = ("train", *SMALL, "model.kernel_size=0,3,2", "--fail-fast", "--out", tmp_path)
    result = dlcli(*words)
    assert "0 of 3 completed" in result.stderr
    assert result.exit_code == 5


def test_sweep_interrupt_starts_no_further_points(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        sweep_runner, "perform", lambda job, tell: asked.append(job) or JobResult(130, error="interrupted")
    )
    result = dlcli("train", *SMALL, "seed=0,1,2", "--out", tmp_path)
    assert result.exit_code == 130
    assert len(asked) == 1
    assert "0 of 3 completed" in result.stderr
    assert "dlcli sweep resume" in result.stderr


def test_sweep_labels_points_by_model(tmp_path):
    result = dlcli("train", "model=elman,gru", "steps=1", "model.hidden=3", "threads=1", "--out", tmp_path)
    assert "[1/2] elman" in result.stderr
    assert "[2/2] gru" in result.stderr
    assert result.exit_code == 0, result.stderr
    assert "elman" in result.stdout
    assert "gru" in result.stdout


def test_main_rejects_unknown_progress_mode(tmp_path):
    with pytest.raises(UsageError) as error:
        run.main(["tcn"], Options(tmp_path, show="plane"), None, False, False)
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "plane")


def rows(out, *selectors):
    """The table of `compare runs`, without what differs from run to run: ids and seconds."""
    result = dlcli("compare", "runs", *selectors, "--json", "--out", out)
    assert result.exit_code == 0, result.stderr
    groups = json.loads(result.stdout)["groups"]
    for row in groups:
        row["values"] = dict(zip(row.pop("seeds"), row["values"], strict=True))  # listed as they began
    return [{name: row[name] for name in row if name not in ("runs", "seconds", "cost")} for row in groups]


def points(out):
    return Sweep.open(list_sweeps(out)[0]).points


def rows_of_metrics(out):
    """metrics.csv of every point, in order."""
    return [(path / "metrics.csv").read_bytes() for path in Sweep.open(list_sweeps(out)[0]).members()]


@pytest.mark.parametrize(
    ("ways", "words"),
    [
        (["--seeds", "3"], ["seed=0", "seed=1", "seed=2"]),
        (["--seeds", "2:4"], ["seed=2", "seed=3"]),
        (["--seeds", "7,5"], ["seed=7", "seed=5"]),
        (["seed=choice(4,6)"], ["seed=4", "seed=6"]),
        (["--zip", "seed=1,2 lr=0.1,0.2"], ["seed=1 lr=0.1", "seed=2 lr=0.2"]),
        (["--zip", "lr=0.1,0.2 model.channels=[4, 4],[8]", "clip=1,2"],
         ["clip=1 lr=0.1 model.channels=[4,4]", "clip=1 lr=0.2 model.channels=[8]",
          "clip=2 lr=0.1 model.channels=[4,4]", "clip=2 lr=0.2 model.channels=[8]"]),
        (["--zip", "lr=0.1,0.2 clip=1,2", "--zip", "seed=1,2 batch=8,9"],
         [f"lr=0.{a} clip={a} seed={b} batch={7 + b}" for a in (1, 2) for b in (1, 2)]),
    ],
)  # fmt: skip
def test_expand_composes_seeds_choices_and_zips(ways, words):
    ways = [*ways]
    seeds = ways.pop(ways.index("--seeds") + 1) if "--seeds" in ways else None
    zips = [ways[place + 1] for place, word in enumerate(ways) if word == "--zip"]
    plain = [word for word in ways if not word.startswith("--") and word not in zips]
    found = run.expand(plain, Options(), sweep_runner.LaunchOptions(seeds=seeds, zips=tuple(zips)))
    assert [" ".join(point.words) for point in found] == words


def test_expand_accepts_glob_patterns():
    found = run.expand(["model=glob(mut*)"], Options(), sweep_runner.LaunchOptions())
    assert [point.label for point in found] == ["mut1", "mut2", "mut3"]
    found = run.expand(["model=glob(mut*, exclude=mut2)", "task=adding"], Options(), sweep_runner.LaunchOptions())
    assert [point.choices["model"] for point in found] == ["mut1", "mut3"]


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["--on", "slrum"], 'did you mean "slurm"'),
        (["--seeds", "abc"], "got 'abc'"),
        (["--seeds", "0"], "--seeds must be"),
        (["--seeds", "5:5"], "--seeds must be"),
        (["--seeds", "1,1"], "different seeds"),
        (["--seeds", "9" * 5000], "a number of seeds"),
        (["--seeds", "999999999"], "between 1 and 10,000"),
        (["--seeds", "2", "seed=3"], "--seeds and seed="),
        (["--zip", "garbage"], "'a=1,2 b=3,4'"),
        (["--zip", ""], "'a=1,2 b=3,4'"),
        (["--zip", "lr=1,2"], "'a=1,2 b=3,4'"),
        (["--zip", "lr=1,2 clip=1,2,3"], "2 for lr and 3 for clip"),
        (["--zip", "lr=1,2 clip=1,2", "lr=3"], "lr is given twice"),
        (["--zip", "lr=1,2 clp=1,2"], "clip"),
        (["--zip", "lr=1,2 clip=(,"], "cannot parse"),
        (["model=glob(x*)"], "unknown model"),
        (["lr=glob(*)"], "requires a configuration group, got 'lr'"),
        (["lr=interval(0,1)"], "interval"),
        (["--resume", "last", "--seeds", "2"], "--resume and --seeds"),
        (["--needed", "--init-from", "last", "--seeds", "2"], "--needed"),
    ],
)  # fmt: skip
def test_train_rejects_invalid_overrides_in_few_lines(words, fragment, tmp_path):
    result = dlcli("train", *words, "--out", tmp_path)
    assert result.exit_code == 2, result.output
    assert fragment in result.stderr
    assert 1 <= len(result.stderr.strip().splitlines()) <= 5
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("selector", ["last", "nothing", "", "a/b", "1"])
def test_sweep_resume_rejects_unknown_sweeps(selector, tmp_path):
    result = dlcli("sweep", "resume", selector, "--out", tmp_path)
    assert result.exit_code == 2
    assert "no sweep" in result.stderr


def test_sweep_result_is_independent_of_jobs(tmp_path):
    for jobs in ("1", "2"):
        words = ("train", *SMALL, "--seeds", "3", "--jobs", jobs, "--json", "--out", tmp_path / jobs)
        reports = json.loads(dlcli(*words).stdout)
        assert [Run.open(Path(report["run"])).info["seed"] for report in reports] == [0, 1, 2]
    assert rows_of_metrics(tmp_path / "1") == rows_of_metrics(tmp_path / "2")
    assert len(set(rows_of_metrics(tmp_path / "1"))) == 3
    assert rows(tmp_path / "1") == rows(tmp_path / "2")


def test_sweep_divides_threads_among_jobs(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(sweep_runner, "available_cores", lambda: 8)
    monkeypatch.setattr(sweep_runner.launch, "open_executor", lambda *_: pytest.fail("not wanted"))
    made = Sweep.create(tmp_path, "train", [["tcn"], ["gru"]])
    for jobs in (None, 1, 3, 16):
        (job, _) = sweep_runner._jobs(made, [0, 1], Options(tmp_path), sweep_runner.LaunchOptions(jobs=jobs))
        given.append(job.options["threads"])
    assert given == [None, None, 2, 1]


def test_threads_auto_uses_the_share_of_a_job(tmp_path):
    from dlcli.config import compose, run_config
    from dlcli.engine.train import train

    (point,) = compose.expand("train", [*SMALL, "threads=auto"])
    run = train(point, Options(tmp_path, quiet=True, threads=1))
    assert run_config.read(run.path / "config.yaml")["threads"] == 1


def test_sweep_continues_after_a_failure(tmp_path):
    result = dlcli("train", *SMALL, "model.kernel_size=3,0,2", "--jobs", "1", "--out", tmp_path)
    assert result.exit_code == 5
    lines = result.stderr.splitlines()
    first_failure = next(number for number, line in enumerate(lines) if line.startswith("[2] failed, exit code 2"))
    assert first_failure < next(number for number, line in enumerate(lines) if line.startswith("[3/3]"))
    assert "1 failed" in result.stderr
    assert "2 of 3 completed" in result.stderr


def test_fail_fast_stops_after_the_first_failure(tmp_path):
    result = dlcli("train", *SMALL, "model.kernel_size=3,0,2", "--fail-fast", "--json", "--out", tmp_path)
    assert [report["exit_code"] for report in json.loads(result.stdout)] == [0, 2, 130]
    assert result.exit_code == 5
    assert [point["exit_code"] for point in points(tmp_path)] == [0, 2, None]


def test_sweep_resume_runs_only_missing_and_failed_points(tmp_path, monkeypatch):
    perform, asked = sweep_runner.perform, []

    def fails_once(job, tell):
        asked.append(job)
        if len(asked) == 2:
            return JobResult(1, error="the disk is full")
        return JobResult(130) if len(asked) == 3 else perform(job, tell)

    monkeypatch.setattr(sweep_runner, "perform", fails_once)
    assert dlcli("train", *SMALL, "--seeds", "4", "--out", tmp_path).exit_code == 130
    assert [point["exit_code"] for point in points(tmp_path)] == [0, 1, 130, None]
    result = dlcli("sweep", "resume", "last", "--json", "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert [report["exit_code"] for report in json.loads(result.stdout)] == [0] * 4
    assert [job.overrides[-1] for job in asked] == [f"seed={seed}" for seed in (0, 1, 2, 1, 2, 3)]
    assert dlcli("sweep", "resume", "last", "--out", tmp_path).exit_code == 0
    assert len(asked) == 6


def test_sweep_resume_keeps_name_and_tags(tmp_path, monkeypatch):
    given = ("train", *SMALL, "--seeds", "2", "--name", "mine", "--tag", "night", "--out", tmp_path)
    monkeypatch.setattr(sweep_runner, "perform", lambda job, tell: JobResult(130))
    assert dlcli(*given).exit_code == 130
    monkeypatch.undo()
    assert (
        dlcli("sweep", "resume", list_sweeps(tmp_path)[0].name.rpartition("_")[2][:4], "--out", tmp_path).exit_code == 0
    )
    for path in Sweep.open(list_sweeps(tmp_path)[0]).members():
        assert (Run.open(path).info["name"], Run.open(path).info["tags"]) == ("mine", ["night"])


def test_sweep_resume_rejects_a_running_sweep(tmp_path):
    made = Sweep.create(tmp_path, "train", [["tcn"]])
    result = dlcli("sweep", "resume", made.id, "--out", tmp_path)
    assert result.exit_code == 2
    assert f"process {os.getpid()}" in result.stderr


def test_sweep_resume_adopts_unrecorded_runs(tmp_path):
    assert dlcli("train", *SMALL, "--seeds", "2", "--out", tmp_path).exit_code == 0
    made = Sweep.open(list_sweeps(tmp_path)[0])
    before = made.members()
    for point in made.points:
        point.update(run=None, exit_code=None)
    made.save()
    assert dlcli("sweep", "resume", "last", "--out", tmp_path).exit_code == 0
    assert Sweep.open(made.path).members() == before
    assert len(list(tmp_path.rglob("run.json"))) == 2


def test_sweep_resume_repeats_deleted_runs(tmp_path):
    assert dlcli("train", *SMALL, "--seeds", "2", "--out", tmp_path).exit_code == 0
    Run.open(Sweep.open(list_sweeps(tmp_path)[0]).members()[0]).discard()
    assert dlcli("sweep", "resume", "last", "--out", tmp_path).exit_code == 0
    assert len(list(tmp_path.rglob("run.json"))) == 2


def test_needed_skips_points_with_identical_completed_runs(tmp_path):
    assert dlcli("train", *SMALL, "seed=1", "--out", tmp_path).exit_code == 0
    (covering,) = [path.parent for path in tmp_path.rglob("run.json")]
    result = dlcli("train", *SMALL, "--seeds", "3", "--needed", "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "skipping 1 of 3" in result.stderr
    assert Sweep.open(list_sweeps(tmp_path)[0]).members()[1] == covering
    assert len(list(tmp_path.rglob("run.json"))) == 3
    (row,) = rows(tmp_path, list_sweeps(tmp_path)[0])
    assert row["values"].keys() == {0, 1, 2}


@pytest.mark.parametrize("other", ["patience=1", "steps=4", "lr=0.5", "model.channels=[4]"])
def test_needed_repeats_points_with_other_settings(other, tmp_path):
    assert dlcli("train", *SMALL, "seed=1", "--out", tmp_path).exit_code == 0
    assert dlcli("train", *SMALL, other, "seed=1", "--needed", "--out", tmp_path).exit_code == 0
    assert len(list(tmp_path.rglob("run.json"))) == 2


def test_needed_ignores_runs_initialized_from_other_weights(tmp_path):
    assert dlcli("train", *SMALL, "seed=1", "--out", tmp_path).exit_code == 0
    first = next(tmp_path.rglob("run.json"))
    info = json.loads(first.read_text())
    first.write_text(json.dumps(info | {"argv": ["train", "--init-from=last"]}))
    assert dlcli("train", *SMALL, "seed=1", "--needed", "--out", tmp_path).exit_code == 0
    assert len(list(tmp_path.rglob("run.json"))) == 2


LONG = (
    "task=adding", "task.length=12", "task.train=72", "task.valid=24", "task.test=16", "task.batch=8", "model=tcn",
    "model.channels=[4,4]", "model.kernel_size=3", "steps=800", "eval_every=400", "checkpoint_every=40",
    "log_every=5", "threads=1", "--seeds", "3",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The same sweep without interruption."""
    out = tmp_path_factory.mktemp("whole")
    assert dlcli("train", *LONG, "--jobs", "3", "--out", out).exit_code == 0
    return out


def begin(out, *ways):
    words = [sys.executable, "-m", "dlcli", "train", *LONG, "--jobs", "2", "--out", str(out), *ways]
    return subprocess.Popen(words, stderr=(out.parent / "stderr.txt").open("w"), start_new_session=True)


def running(out, known=()):
    """The run.json of two runs that have a checkpoint and are not over, none by a process of `known`."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        found = [json.loads(path.read_text()) | {"path": path.parent} for path in out.glob("train/*/*/run.json")]
        found = [info for info in found if (info["path"] / "checkpoints" / "last.pt").exists()]
        found = [info for info in found if info["status"] == "running" and info["pid"] not in known]
        if len(found) == 2:
            return found
        time.sleep(0.01)
    raise AssertionError((out.parent / "stderr.txt").read_text())


def gone(pid):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_sweep_resume_after_kill_equals_uninterrupted(tmp_path, whole):
    out = tmp_path / "killed"
    coordinator = begin(out)
    first, _ = running(out)
    os.kill(first["pid"], signal.SIGKILL)
    workers = {info["pid"] for info in running(out, known=(first["pid"],))}
    coordinator.kill()
    coordinator.wait()
    assert all(map(gone, workers))
    assert 0 < len(list(out.glob("train/*/*/run.json"))) <= 3
    assert {Run.open(path.parent).status for path in out.glob("train/*/*/run.json")} <= {"stopped", "completed"}

    result = dlcli("sweep", "resume", "last", "--out", out)
    assert result.exit_code == 0, result.stderr
    assert rows_of_metrics(out) == rows_of_metrics(whole)
    assert rows(out) == rows(whole)
    assert len(list(out.glob("train/*/*/run.json"))) == 3


@pytest.mark.slow
def test_ray_sweep_survives_a_killed_worker(tmp_path, whole):
    pytest.importorskip("ray", reason="ray is not installed: pip install 'dlcli-lab[ray]'")
    out = tmp_path / "ray"
    coordinator = begin(out, "--on", "ray")
    first, _ = running(out)
    os.kill(first["pid"], signal.SIGKILL)
    assert coordinator.wait(180) == 0, (tmp_path / "stderr.txt").read_text()
    assert json.loads((first["path"] / "run.json").read_text())["pid"] != first["pid"]
    assert rows_of_metrics(out) == rows_of_metrics(whole)
    assert rows(out) == rows(whole)
    assert len(list(out.glob("train/*/*/run.json"))) == 3


def test_sweep_interrupt_saves_checkpoints(tmp_path):
    out = tmp_path / "out"
    coordinator = begin(out)
    running(out)
    os.killpg(coordinator.pid, signal.SIGINT)
    assert coordinator.wait(60) == 130
    stderr = (tmp_path / "stderr.txt").read_text()
    assert "Traceback" not in stderr
    assert "0 of 3 completed" in stderr
    found = [Run.open(path.parent) for path in out.glob("train/*/*/run.json")]
    assert [run.status for run in found] == ["stopped"] * 2
