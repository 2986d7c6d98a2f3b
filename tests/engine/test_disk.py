"""A full or unwritable disk: nothing half-made at the start, the last good checkpoint later, and a run that goes on."""

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
    """What a run with room enough gives."""
    out = tmp_path_factory.mktemp("whole")
    assert finish(out, ["train", *WORDS]) == 0
    return outcome(out)


@pytest.fixture
def small(tmp_path):
    """A disk of 2 MiB of its own."""
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


def child(words, out, prepare, given, answer):
    """In a child: the command line after a preparation, and the lines that it said."""
    from dlcli.cli.app import app

    prepare(*given)
    said, code = io.StringIO(), 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            app([*words, "--out", str(out), "--progress", "none"])
        except SystemExit as end:
            code = end.code
    answer.send((code, said.getvalue()))


def command(words, out, prepare=int, *given):
    """Exit code and message of the command line in a child."""
    here, there = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=child, args=(words, out, prepare, given, there))
    process.start()
    assert here.poll(120)
    answer = here.recv()
    process.join()
    return answer


def half_made(out):
    """Directories of runs that are not runs."""
    stamped = [path for path in out.glob("train/*/*") if path.is_dir()]
    return [path for path in stamped if path not in {run.path for run in selectors.scan(out)}]


@pytest.mark.parametrize("step", [7, 20])
def test_full_during_a_run_is_exit_1_with_the_last_checkpoint_intact(step, small, whole):
    out = small / "out"
    code, said = command(["train", *WORDS], out, full_at, step, small)
    assert code == 1
    assert "No space left on device; the last checkpoint is intact" in said
    assert "Traceback" not in said
    run = only(out)
    assert run.status in ("failed", "lost")
    saved = torch.load(run.checkpoint_path("last"), weights_only=True)
    assert saved["run"] == run.id
    assert step - 3 < saved["step"] <= step
    (small / "ballast").unlink()
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole
    assert not list(out.rglob("*.tmp"))


def test_full_before_the_first_checkpoint_begins_anew(small, whole):
    out = small / "out"
    assert command(["train", *WORDS], out, full_at, 1, small)[0] == 1
    assert not only(out).checkpoint_path("last").exists()
    (small / "ballast").unlink()
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole


def test_still_full_when_it_is_taken_up_again_changes_nothing(small, whole):
    out = small / "out"
    assert command(["train", *WORDS], out, full_at, 7, small)[0] == 1
    before = files(out)
    code, said = command(["train", "--resume", "last"], out)
    assert code in (1, 2)
    assert "No space left" in said
    assert "Traceback" not in said
    kept = {name: content for name, content in files(out).items() if name.name.endswith((".pt", ".csv", ".yaml"))}
    assert kept == {name: content for name, content in before.items() if name in kept}
    (small / "ballast").unlink()
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole


@pytest.mark.parametrize("pages", [0, 1, 2, 3, 4, 5, 6, 7, 9, 12])
def test_however_little_room_there_is_at_the_start_nothing_is_half_made(pages, small):
    out = small / "out"
    fill(small, pages)
    code, said = command(["train", *WORDS], out)
    assert code in (1, 2)
    assert "No space left on device" in said
    assert "Traceback" not in said
    assert half_made(out) == []
    assert (code == 1) == (len(selectors.scan(out)) == 1)


def test_a_disk_that_cannot_be_written(small):
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    code, said = command(["train", *WORDS], small / "out")
    assert code == 2
    assert "Read-only file system" in said
    assert len(said.strip().splitlines()) <= 5


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    code, said = command(["train", *WORDS], tmp_path / "out")
    assert code == 2
    assert str(tmp_path / "out") in said
    assert len(said.strip().splitlines()) <= 5
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("size", [0, 4096, 12000])
def test_a_quota_during_a_run_leaves_the_last_checkpoint_intact(size, tmp_path, whole):
    """Without a disk of one's own: no file may grow beyond `size`."""
    out = tmp_path / "out"
    code, said = command(["train", *WORDS], out, limited_at, 7, size)
    assert code == 1
    assert "File too large; the last checkpoint is intact" in said
    assert "Traceback" not in said
    assert torch.load(only(out).checkpoint_path("last"), weights_only=True)["step"] == 6
    assert command(["train", "--resume", "last"], out)[0] == 0
    assert outcome(out) == whole


def test_a_folder_that_is_taken_away_ends_in_words(tmp_path):
    words = [word for word in WORDS if not word.startswith("steps=")] + ["steps=100000"]
    process = begin(tmp_path, ["train", *words])
    while not list(tmp_path.glob("train/*/*/checkpoints/last.pt")):
        process.join(0.005)
    (tmp_path / "train").rename(tmp_path / "gone")
    process.join(60)
    assert process.exitcode == 1
    assert "No such file" in (tmp_path / "said.txt").read_text()
    assert list(tmp_path.glob("train/*/*")) == []
