"""Full and unwritable disks: no incomplete run directories, an intact last checkpoint, and exact resume."""

import contextlib
import io
import os
import resource
import subprocess

import pytest
import torch
from test_resume import SERVER, WORDS, begin, files, finish, only, outcome

from dlcli.learners.gradient.gradient import Gradient
from dlcli.runs import selectors

PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Outcome of a run with enough disk space."""
    out = tmp_path_factory.mktemp("whole")
    assert finish(out, ["train", *WORDS]) == 0
    return outcome(out)


@pytest.fixture
def small(tmp_path):
    """A separate file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk, pages=0):
    """Fill the disk, and leave some pages free."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * PAGE):
            pass
    os.truncate(ballast, max(0, (ballast.stat().st_size // PAGE - pages) * PAGE))


def full_at(number, disk):
    """In a child: the disk is full from step `number` on."""
    step, count = Gradient.step, [0]

    def counted(self):
        if count[0] == number:
            fill(disk)
        count[0] += 1
        return step(self)

    Gradient.step = counted


def limited_at(number, size):
    """In a child: no file may grow beyond `size` from step `number` on."""
    step, count = Gradient.step, [0]

    def counted(self):
        if count[0] == number:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        count[0] += 1
        return step(self)

    Gradient.step = counted


def child(arguments, out, prepare, prepare_arguments, pipe):
    """In a child process: prepare, run the command, and send exit code and output."""
    from dlcli.cli.app import app

    prepare(*prepare_arguments)
    output, code = io.StringIO(), 0
    with contextlib.redirect_stderr(output), contextlib.redirect_stdout(io.StringIO()):
        try:
            app([*arguments, "--out", str(out), "--progress", "none"])
        except SystemExit as end:
            code = end.code
    pipe.send((code, output.getvalue()))


def command(arguments, out, prepare=int, *prepare_arguments):
    """Run the command line in a child process; return exit code and output."""
    receiver, sender = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=child, args=(arguments, out, prepare, prepare_arguments, sender))
    process.start()
    assert receiver.poll(120)
    result = receiver.recv()
    process.join()
    return result


def incomplete_runs(out):
    """Run directories without a valid record."""
    stamped = [path for path in out.glob("train/*/*") if path.is_dir()]
    return [path for path in stamped if path not in {run.path for run in selectors.scan(out)}]


@pytest.mark.parametrize("step", [20, pytest.param(7, marks=pytest.mark.slow)])
def test_full_disk_during_a_run_exits_1_with_the_last_checkpoint_intact(step, small, whole):
    out = small / "out"
    code, output = command(["train", *WORDS], out, full_at, step, small)
    assert code == 1
    assert "No space left on device; the last checkpoint is intact" in output
    assert "Traceback" not in output
    run = only(out)
    assert run.status in ("failed", "lost")
    saved = torch.load(run.checkpoint_path("last"), weights_only=True)
    assert saved["run"] == run.id
    assert step - 3 < saved["step"] <= step
    (small / "ballast").unlink()
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole
    assert not list(out.rglob("*.tmp"))


def test_full_disk_before_the_first_checkpoint_restarts(small, whole):
    out = small / "out"
    assert command(["train", *WORDS], out, full_at, 1, small)[0] == 1
    assert not only(out).checkpoint_path("last").exists()
    (small / "ballast").unlink()
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole


def test_resume_on_a_full_disk_changes_nothing(small, whole):
    out = small / "out"
    assert command(["train", *WORDS], out, full_at, 7, small)[0] == 1
    before = files(out)
    code, output = command(["train", "--resume", "last"], out)
    assert code in (1, 2)
    assert "No space left" in output
    assert "Traceback" not in output
    saved = {name: content for name, content in files(out).items() if name.name.endswith((".pt", ".csv", ".yaml"))}
    assert saved == {name: content for name, content in before.items() if name in saved}
    (small / "ballast").unlink()
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole


@pytest.mark.parametrize("pages", [0, 1, 3, 6, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4, 5, 7, 9, 12))])
def test_full_disk_at_the_start_leaves_no_incomplete_run(pages, small):
    out = small / "out"
    fill(small, pages)
    code, output = command(["train", *WORDS], out)
    assert code in (1, 2)
    assert "No space left on device" in output
    assert "Traceback" not in output
    assert incomplete_runs(out) == []
    assert (code == 1) == (len(selectors.scan(out)) == 1)


def test_read_only_disk_exits_2(small):
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    code, output = command(["train", *WORDS], small / "out")
    assert code == 2
    assert "Read-only file system" in output
    assert len(output.strip().splitlines()) <= 5


def test_output_folder_that_is_a_file_exits_2(tmp_path):
    (tmp_path / "out").write_text("mine")
    code, output = command(["train", *WORDS], tmp_path / "out")
    assert code == 2
    assert str(tmp_path / "out") in output
    assert len(output.strip().splitlines()) <= 5
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("size", [4096, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, 12000))])
def test_file_size_limit_leaves_the_last_checkpoint_intact(size, tmp_path, whole):
    """By a limit of the file size, without a separate file system."""
    out = tmp_path / "out"
    code, output = command(["train", *WORDS], out, limited_at, 7, size)
    assert code == 1
    assert "File too large; the last checkpoint is intact" in output
    assert "Traceback" not in output
    assert torch.load(only(out).checkpoint_path("last"), weights_only=True)["step"] == 6
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole


def test_removed_output_folder_ends_with_a_message(tmp_path):
    overrides = [word for word in WORDS if not word.startswith("steps=")] + ["steps=100000"]
    process = begin(tmp_path, ["train", *overrides])
    while not list(tmp_path.glob("train/*/*/checkpoints/last.pt")):
        process.join(0.005)
    (tmp_path / "train").rename(tmp_path / "gone")
    process.join(60)
    assert process.exitcode == 1
    assert "No such file" in (tmp_path / "output.txt").read_text()
    assert list(tmp_path.glob("train/*/*")) == []
