"""The table of many runs: what a row says, what is shown when, and how failures are told."""

import io

import pytest
from rich.console import Console

from dlcli.core.executor import NOT_STARTED, JobResult, ProgressEvent
from dlcli.report.progress import sweep_progress
from dlcli.report.progress.job_progress import MessageDisplay


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(sweep_progress, "time", clock)
    return clock


def rendered(screen):
    console = Console(file=io.StringIO(), width=120)
    console.print(screen.table())
    return console.file.getvalue()


def test_a_row_tells_how_a_run_goes(clock):
    row = sweep_progress.RunState("seed=0")
    assert row.state == "waiting"
    row.hear(ProgressEvent())
    assert row.state == "starting"
    row.hear(ProgressEvent("run", metric="accuracy"))
    assert (row.state, row.value, row.left) == ("running", "", "")
    row.hear(ProgressEvent("run", 10, 0.1, "loss", 0.5))
    clock.now += 10
    row.hear(ProgressEvent("run", 20, 0.3, "valid accuracy", 0.75))
    assert (row.value, row.left) == ("valid accuracy 0.75", "35.0 s")  # 0.2 of the way in 10 s, 0.7 to go
    row.hear(JobResult(0, "run", {"test": {"accuracy": 0.5}}))
    assert (row.state, row.value, row.left) == ("completed", "test accuracy 0.5", "")


def test_the_time_left_of_a_resumed_run_goes_by_its_own_pace(clock):
    row = sweep_progress.RunState("seed=0")
    row.hear(ProgressEvent("run", 90, 0.9, "loss", 0.5))
    clock.now += 10
    row.hear(ProgressEvent("run", 95, 0.95, "loss", 0.5))
    assert row.left == "10.0 s"


@pytest.mark.parametrize(
    ("report", "state"),
    [(JobResult(1), "failed"), (JobResult(2), "failed"), (JobResult(3), "diverged"), (JobResult(143), "stopped"),
     (JobResult(75), "preempted"), (NOT_STARTED, "waiting")],
)  # fmt: skip
def test_states_are_those_of_runs(report, state):
    row = sweep_progress.RunState("seed=0")
    row.hear(report)
    assert row.state == state


def test_a_failure_is_told_with_the_last_line_of_its_error(capsys):
    board = sweep_progress.create_sweep_display("plain", ["seed=0", "seed=1"])
    with board:
        board.hear(1, JobResult(1, error="first\nOSError: the disk\x1b[31m is full\n"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "[2] failed, exit code 1: seed=1: OSError: the disk [31m is full"


def test_plain_lines_are_few(capsys, clock):
    board = sweep_progress.create_sweep_display("plain", ["seed=0", "seed=1"])
    board.hear(0, ProgressEvent())
    for step in range(1, 1000):
        clock.now += 0.01
        board.hear(0, ProgressEvent("run", step, step / 1000, "loss", 0.5))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/2] seed=0  starting"
    assert lines[1] == "1 running, 1 waiting"
    assert 3 <= len(lines) <= 5


def test_a_job_that_begins_once_more_says_why(capsys):
    news = ProgressEvent("run", note="its worker was killed (SIGKILL); resumed from its last checkpoint")
    sweep_progress.create_sweep_display("plain", ["seed=0"]).hear(0, news)
    sweep_progress.create_sweep_display("bar", ["seed=0"]).hear(0, news)
    assert capsys.readouterr().err.splitlines() == [f"[1] seed=0: {news.note}"] * 2


def test_the_last_scoring_tells_the_last_step():
    told = []
    telling = MessageDisplay("run", "accuracy", lambda text: None, told.append)
    telling.tick(54, 0.9, {"loss": 1.0})
    telling.scored(60, "valid", {"accuracy": 0.5}, True)
    assert (told[-1].step, told[-1].value) == (60, 0.5)


def test_without_progress_nothing_but_failures_is_told(capsys, clock):
    board = sweep_progress.create_sweep_display("none", ["seed=0"])
    board.hear(0, ProgressEvent())
    for step in range(1, 10):
        clock.now += 100
        board.hear(0, ProgressEvent("run", step, step / 10, "loss", 1.0))
    board.hear(0, JobResult(0))
    assert capsys.readouterr().err == ""
    board.hear(0, JobResult(1, error="no"))
    assert "no" in capsys.readouterr().err


def test_when_quiet_only_failures_are_told(capsys):
    board = sweep_progress.create_sweep_display("plain", ["seed=0"], quiet=True)
    board.hear(0, ProgressEvent())
    board.hear(0, ProgressEvent("run", 5, 0.5, "loss", 1.0))
    assert capsys.readouterr().err == ""
    board.hear(0, JobResult(1, error="no"))
    assert "no" in capsys.readouterr().err


def test_the_table_has_a_row_a_run():
    screen = sweep_progress.SweepTable([sweep_progress.RunState("seed=0"), sweep_progress.RunState("[bold]odd[/]")])
    screen.hear(0, ProgressEvent("run", 1234, 0.5, "valid accuracy", 0.75))
    text = rendered(screen)
    for word in ("seed=0", "running", "1,234", "valid accuracy 0.75", "[bold]odd[/]", "1 running, 1 waiting"):
        assert word in text


def test_of_more_runs_than_lines_those_that_matter_are_shown():
    screen = sweep_progress.SweepTable([sweep_progress.RunState(f"seed={seed}") for seed in range(100)])
    screen.console = Console(file=io.StringIO(), height=10, width=100)
    for place in range(50):
        screen.rows[place].hear(JobResult(0))
    screen.rows[7].hear(JobResult(1, error="no"))
    screen.rows[60].hear(ProgressEvent("run", 1, 0.1, "loss", 1.0))
    text = rendered(screen)
    assert "seed=60" in text
    assert "seed=7 " in text
    assert "1 running, 1 failed, 49 completed, 49 waiting" in text
    assert len(text.splitlines()) <= 10
