"""Executors: order of reports, resume of dead workers, stopping, and no orphaned processes."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dlcli.core.errors import Missing, UsageError
from dlcli.core.executor import NOT_STARTED, Executor, Job, JobResult, ProgressEvent
from dlcli.launch import InProcessExecutor, LocalExecutor, check, executors
from dlcli.launch.messages import EventReader, EventWriter
from dlcli.launch.queue import TRIES


def toy(job, tell):
    """Perform a test job: the first override is its behavior, the second its file."""
    what, name = job.overrides
    mark = Path(job.options["folder"]) / name
    received = _receive_sigterm() if what == "wait" else []
    tell(ProgressEvent(run=str(mark)))
    with mark.open("a") as file:
        file.write(f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES')} {job.run}\n")
    if what == "die" or (what == "die once" and job.run is None):
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "slow":
        time.sleep(0.4)
    if what == "wait":
        return _wait_for_signal(received, str(mark))
    return JobResult(0, str(mark), {"test": {"pid": float(os.getpid())}})


def _receive_sigterm():
    received = []
    signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    return received


def _wait_for_signal(received, run):
    """Save and end on a signal, as a training run does."""
    for _ in range(3000):
        if received:
            Path(run).with_suffix(".saved").write_text("saved")
            return JobResult(128 + received[0], run, error="stopped")
        time.sleep(0.01)
    raise AssertionError("no signal for 30 s")


@pytest.fixture
def job(tmp_path):
    return lambda *overrides: Job("train", overrides, {"folder": str(tmp_path)})


@pytest.fixture
def local():
    made = []

    def make(*arguments, **more):
        made.append(LocalExecutor(toy, *arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def eventually(holds, seconds=60):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.02)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def marks(path):
    """(pid, devices, run) of every time that the job began."""
    return [line.split(" ") for line in path.read_text().splitlines()]


def test_local_reports_keep_the_order_of_submission(job, local, tmp_path):
    heard = []
    executor = local(2, lambda number, what: heard.append((number, what)))
    assert isinstance(executor, Executor)
    for words in [("slow", "a"), ("quick", "b"), ("quick", "c")]:
        executor.submit(job(*words))
    reports = [executor.wait() for _ in range(3)]
    assert [number for number, _ in reports] == [1, 2, 3]
    assert [Path(report.run).name for _, report in reports] == ["a", "b", "c"]
    ended = [number for number, what in heard if isinstance(what, JobResult)]
    assert ended.index(1) > ended.index(2)
    assert [what.run for number, what in heard if number == 1 and isinstance(what, ProgressEvent)] == [
        "",
        str(tmp_path / "a"),
    ]
    with pytest.raises(IndexError):
        executor.wait()


def test_local_reuses_at_most_jobs_processes(job, local, tmp_path):
    executor = local(2)
    assert len(executor.workers()) == 2
    for number in range(6):
        executor.submit(job("quick", str(number)))
    reports = [executor.wait()[1] for _ in range(6)]
    assert 1 <= len({report.metrics["test"]["pid"] for report in reports}) <= 2
    assert os.getpid() not in {report.metrics["test"]["pid"] for report in reports}


def test_local_assigns_one_gpu_per_process(job, local, tmp_path):
    executor = local(2, devices=["3", "GPU-7"])
    executor.submit(job("slow", "a"))
    executor.submit(job("slow", "b"))
    for _ in range(2):
        executor.wait()
    assert {marks(tmp_path / name)[0][1] for name in "ab"} == {"3", "GPU-7"}


def test_devices_follow_cuda_visible_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert executors.devices() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, MIG-5")
    assert executors.devices() == ["2", "MIG-5"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert executors.devices() == []


def test_local_resumes_the_job_of_a_killed_process(job, local, tmp_path):
    events = []
    executor = local(1, lambda number, event: events.append(event))
    executor.submit(job("die once", "a"))
    executor.submit(job("quick", "b"))
    assert [executor.wait()[1].exit_code for _ in range(2)] == [0, 0]
    (first, _, fresh), (second, _, resumed) = marks(tmp_path / "a")
    assert first != second
    assert (fresh, resumed) == ("None", str(tmp_path / "a"))
    notes = [event.note for event in events if isinstance(event, ProgressEvent) and event.note]
    assert len(notes) == 1
    assert "SIGKILL" in notes[0]
    assert "resumed" in notes[0]


def test_local_gives_up_after_repeated_deaths(job, local, tmp_path):
    executor = local(1)
    executor.submit(job("die", "a"))
    executor.submit(job("quick", "b"))
    _, report = executor.wait()
    assert report.exit_code == 1
    assert report.run == str(tmp_path / "a")
    assert "SIGKILL" in report.error
    assert len(marks(tmp_path / "a")) == 1 + TRIES
    assert executor.wait()[1].exit_code == 0


def test_stop_saves_running_jobs_and_starts_no_more(job, local, tmp_path):
    executor = local(1, lambda number, what: isinstance(what, ProgressEvent) and what.run and executor.stop())
    executor.submit(job("wait", "a"))
    executor.submit(job("quick", "b"))
    assert executor.wait()[1].exit_code == 143
    assert executor.wait()[1] == NOT_STARTED
    assert (tmp_path / "a.saved").exists()
    assert not (tmp_path / "b").exists()


def test_close_ends_the_processes(job, local, tmp_path):
    executor = local(1)
    executor.submit(job("quick", "a"))
    pid = int(executor.wait()[1].metrics["test"]["pid"])
    executor.close()
    assert not alive(pid)


def test_output_of_workers_goes_to_a_file(tmp_path):
    executor = LocalExecutor(printing, 1, output=tmp_path / "output.txt")
    executor.submit(Job("train", ()))
    assert executor.wait()[1].exit_code == 0
    executor.close()
    assert "a warning" in (tmp_path / "output.txt").read_text()


def printing(job, tell):
    os.write(2, b"a warning\n")
    return JobResult(0)


COORDINATOR = """
import signal
import sys
sys.path.insert(0, {tests!r})
from test_launch import toy
from dlcli.core.executor import Job
from dlcli.launch import Local
if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, also in child processes
    executor = Local(toy, 2)
    for name in "ab":
        executor.submit(Job("train", ("wait", name), {{"folder": {folder!r}}}))
    executor.wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", [lambda pid: os.kill(pid, signal.SIGKILL), lambda pid: os.killpg(pid, signal.SIGHUP)])
def test_workers_save_and_end_when_their_coordinator_is_killed(end, tmp_path):
    script = tmp_path / "coordinator.py"
    script.write_text(COORDINATOR.format(tests=str(Path(__file__).parent), folder=str(tmp_path)))
    coordinator = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    eventually(lambda: all((tmp_path / name).exists() and marks(tmp_path / name) for name in "ab"))
    pids = [int(marks(tmp_path / name)[0][0]) for name in "ab"]
    end(coordinator.pid)
    coordinator.wait()
    eventually(lambda: not any(map(alive, pids)))
    assert all((tmp_path / f"{name}.saved").exists() for name in "ab")


def test_in_process_stop_starts_no_more_jobs():
    executor = InProcessExecutor(lambda job, tell: JobResult(0))
    executor.submit(Job("train", ()))
    executor.stop()
    assert executor.wait()[1] == NOT_STARTED


def test_in_process_signal_stops_all_jobs():
    executor = InProcessExecutor(lambda job, tell: JobResult(143))
    for _ in range(2):
        executor.submit(Job("train", ()))
    assert [executor.wait()[1] for _ in range(2)] == [JobResult(143), NOT_STARTED]


def test_in_process_interrupt_before_the_run_is_reported():
    executor = InProcessExecutor(lambda job, tell: executor.stop())
    executor.submit(Job("train", ()))
    assert executor.wait()[1].exit_code == 130


def test_events_are_read_once_and_complete(tmp_path):
    box, letters = EventReader(tmp_path / "news"), EventWriter(tmp_path / "news" / "1.jsonl")
    assert list(box.news(1)) == []
    letters(ProgressEvent(run="a"))
    letters(ProgressEvent(run="a", step=1))  # too soon after the other
    assert [news.run for news in box.news(1)] == ["a"]
    with box.path(1).open("a") as file:
        file.write('{"run": "b", "st')
    assert list(box.news(1)) == []
    with box.path(1).open("a") as file:
        file.write('ep": 3}\n')
    assert list(box.news(1)) == [ProgressEvent("b", 3)]
    box.empty(1)
    assert list(box.news(1)) == []


@pytest.mark.parametrize(
    ("name", "jobs", "code", "field"),
    [
        ("rey", None, "unknown_name", ("name", "rey")),
        ("local", 0, "invalid_value", ("key", "--jobs")),
        ("local", -3, "invalid_value", ("got", -3)),
        ("", None, "unknown_name", ("kind", "--launcher")),
    ],
)
def test_check_rejects_unknown_launchers_and_invalid_jobs(name, jobs, code, field):
    with pytest.raises(UsageError) as error:
        check(name, jobs)
    assert error.value.code == code
    assert error.value.fields[field[0]] == field[1]


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_check_names_the_missing_package(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Missing) as error:
        check(name, None)
    assert (error.value.code, error.value.fields["package"]) == ("missing_package", package)
    assert f"pip install 'dlcli-lab[{name}]'" in error.value.fields["hint"]


def test_check_rejects_slurm_without_its_commands(monkeypatch):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'dlcli-lab[slurm]'")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Missing) as error:
        check("slurm", None)
    assert "srun" in error.value.fields["package"]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Factory of Slurm executors whose jobs can import this file."""
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'dlcli-lab[slurm]'")
    from dlcli.launch.slurm import SlurmExecutor

    here = [str(Path(__file__).parent), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(here))
    return lambda jobs=None, **more: SlurmExecutor(toy, jobs, folder=tmp_path / "sweep", **more)


@pytest.mark.slow
def test_slurm_resumes_the_job_of_a_killed_worker(slurm, job, tmp_path):
    heard = []
    executor = slurm(2, cluster="local", listen=lambda number, what: heard.append((number, what)))
    assert isinstance(executor, Executor)
    executor.submit(job("quick", "a"))
    executor.submit(job("die once", "b"))
    assert [executor.wait()[1].exit_code for _ in range(2)] == [0, 0]
    assert [run for _, _, run in marks(tmp_path / "b")] == ["None", str(tmp_path / "b")]
    assert (1, ProgressEvent(run=str(tmp_path / "a"))) in heard


SBATCH = """\
#!/bin/sh
for word; do script=$word; done
cp "$script" "{folder}/script.sh"
env | grep SUBMITIT > "{folder}/environment.txt"
echo "Submitted batch job 17"
"""


def test_slurm_batch_script_requests_signal_and_resources(slurm, job, tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"sbatch": SBATCH.format(folder=tmp_path), "srun": "#!/bin/sh\n"}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    check("slurm", None)
    executor = slurm()
    number = executor.submit(job("quick", "a"))
    executor._assign()
    lines = (tmp_path / "script.sh").read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    options = {"--job-name=dlcli", "--signal=USR1@120", "--cpus-per-task=1", "--nodes=1", "--time=1440"}
    assert options <= {line.removeprefix("#SBATCH ") for line in lines}
    (command,) = [line for line in lines if "submitit.core._submit" in line]
    assert command.startswith("srun ")
    assert sys.executable in command
    assert str(tmp_path / "sweep" / "slurm") in command
    assert "SUBMITIT_PREEMPT_SIGNAL=USR1" in (tmp_path / "environment.txt").read_text()
    assert executor._running[number].job_id == "17"


def test_slurm_requeues_a_preempted_job(slurm, job, tmp_path):
    executor = slurm(1, cluster="local")
    answers = iter([JobResult(75, "run"), JobResult(0, "run")])
    submitted = []
    executor._submit = lambda job, box: submitted.append(job) or EventWriter(box)(ProgressEvent("run"))
    executor._result = lambda handle: next(answers)
    executor.submit(job("quick", "a"))
    assert executor.wait()[1] == JobResult(0, "run")
    assert [job.run for job in submitted] == [None, "run"]


def test_slurm_rejection_is_reported(slurm, job, tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "srun").write_text("#!/bin/sh\n")
    (programs / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified' >&2\nexit 1\n")
    for path in programs.iterdir():
        path.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    executor = slurm()
    executor.submit(job("quick", "a"))
    with pytest.raises(UsageError) as error:
        executor.wait()
    assert error.value.code == "rejected"
    assert "invalid partition" in error.value.fields["reason"]
