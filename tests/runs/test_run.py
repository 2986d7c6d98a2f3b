"""A run directory: nobody else's, whole at every moment, held by one living process."""

import errno
import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dlcli.core.errors import UsageError
from dlcli.runs import run as module
from dlcli.runs.record import SCHEMA
from dlcli.runs.run import Run, RunLocked, replace_file

FORK = multiprocessing.get_context("fork")


def create(out, **facts):
    return Run.create(out, "train", "toy", "seed: 0\n", **facts)


def in_child(work, *given):
    """Start a process that does the work and then sleeps; it has begun to sleep when this returns."""
    ready, there = FORK.Pipe(duplex=False)

    def do():
        work(*given)
        there.send(True)
        signal.pause()

    process = FORK.Process(target=do, daemon=True)
    process.start()
    assert ready.recv()
    return process


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def refuse(*names):
    """Writing a file of one of these names finds the disk full."""

    def replace(path, content):
        if path.name in names:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        replace_file(path, content)

    return replace


def test_a_new_run_is_complete_and_says_who_writes_it(tmp_path):
    run = create(tmp_path, seed=7)
    found = Run.open(run.path)
    assert run.path.parent == tmp_path / "train" / "toy"
    assert run.path.name.endswith(f"_{run.id}")
    assert run.id[0].isalpha()
    assert found.info == run.info
    assert (found.info["pid"], found.info["host"], found.info["seed"]) == (os.getpid(), socket.gethostname(), 7)
    assert (found.info["schema"], found.info["status"], found.info["exit_code"]) == (SCHEMA, "running", None)
    assert (run.path / "config.yaml").read_text() == "seed: 0\n"
    assert (run.path / "metrics.csv").read_text() == "step,split,metric,value\n"


def test_twenty_runs_in_the_same_second_get_twenty_directories(tmp_path):
    gate = threading.Barrier(20)

    def begin(_):
        gate.wait()
        run = create(tmp_path)
        run.log(1, "train", {"loss": 1.0})
        run.finish("completed", 0)
        return run

    with ThreadPoolExecutor(20) as pool:
        runs = list(pool.map(begin, range(20)))
    assert len({run.path for run in runs}) == len({run.id for run in runs}) == 20
    assert {Run.open(run.path).status for run in runs} == {"completed"}
    assert all(run.metrics() == [(1, "train", "loss", 1.0)] for run in runs)


def test_twenty_processes_with_the_same_dice_get_twenty_directories(tmp_path, monkeypatch):
    """Even where ids are drawn alike: a directory is made by one process only."""
    dice = iter([*["abc"] * 3, "def"])

    class Alike:
        def choice(self, letters):
            return "x"

        def choices(self, letters, k):
            return next(dice)

    monkeypatch.setattr(module.random, "SystemRandom", Alike)
    moment = module.datetime.now()
    monkeypatch.setattr(module, "datetime", type("Clock", (), {"now": staticmethod(lambda: moment)}))
    assert [create(tmp_path).id for _ in range(2)] == ["xabc", "xdef"]
    monkeypatch.undo()
    gate = FORK.Barrier(20)
    processes = [FORK.Process(target=lambda: (gate.wait(), create(tmp_path / "many"))) for _ in range(20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(list((tmp_path / "many" / "train" / "toy").iterdir())) == 20
    assert len({Run.open(path).id for path in (tmp_path / "many" / "train" / "toy").iterdir()}) == 20


@pytest.mark.parametrize("name", ["config.yaml", "metrics.csv", "timing.csv", "run.json"])
def test_what_cannot_be_written_whole_is_not_there_at_all(name, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "replace_file", refuse(name))
    with pytest.raises(OSError, match="No space left"):
        create(tmp_path)
    assert list((tmp_path / "train" / "toy").iterdir()) == []


def test_facts_that_are_not_plain_leave_no_directory(tmp_path):
    with pytest.raises(TypeError):
        create(tmp_path, wrong=object())
    assert list((tmp_path / "train" / "toy").iterdir()) == []


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        create(tmp_path / "out")


def test_a_living_run_cannot_be_taken_and_says_who_has_it(tmp_path):
    run = create(tmp_path)
    run.close()
    child = in_child(Run.open(run.path).resume)
    try:
        found = Run.open(run.path)
        assert found.status == "running"
        with pytest.raises(
            RunLocked, match=f"run {run.id} is being written by process {child.pid} on {socket.gethostname()}"
        ):
            Run(run.path, run.info).resume()
        assert Run.open(run.path).info["pid"] == child.pid
    finally:
        kill(child)


def test_a_run_whose_process_was_killed_is_lost_and_can_be_taken(tmp_path):
    child = in_child(create, tmp_path)
    (path,) = (tmp_path / "train" / "toy").iterdir()
    assert Run.open(path).status == "running"
    kill(child)
    run = Run.open(path)
    assert run.info["status"] == "running"
    assert run.status == "lost"
    run.resume()
    assert run.status == "running"
    assert Run.open(path).info["pid"] == os.getpid()
    run.finish("completed", 0)
    assert Run.open(path).status == "completed"


def test_another_machines_run_is_not_called_lost(tmp_path):
    run = create(tmp_path)
    run.info["host"] = "elsewhere"
    run.save()
    run.close()
    assert Run.open(run.path).status == "running"


def test_looking_whether_it_is_held_does_not_hold_it(tmp_path):
    run = create(tmp_path)
    run.close()
    stop = threading.Event()

    def look():
        while not stop.is_set():
            assert Run.open(run.path).status in ("lost", "running")
            time.sleep(0.001)

    with ThreadPoolExecutor(4) as pool:
        looking = [pool.submit(look) for _ in range(4)]
        try:
            for _ in range(50):
                taker = Run.open(run.path)
                taker.lock()
                taker.close()
        finally:
            stop.set()
        assert [found.result() for found in looking] == [None] * 4


def test_run_json_is_whole_at_every_moment(tmp_path):
    """A reader beside a writer, and a writer killed in the middle, see a whole file."""
    run = create(tmp_path)
    run.close()

    def write(path):
        mine = Run.open(path)
        for number in range(10**9):
            mine.info["filler"] = str(number) * 2000
            mine.save()

    for wait in (0.0, 0.003, 0.01, 0.02):
        child = FORK.Process(target=write, args=(run.path,), daemon=True)
        child.start()
        for _ in range(30):
            Run.open(run.path)
        child.join(wait)
        kill(child)
        assert Run.open(run.path).id == run.id
    run = Run.open(run.path)
    run.resume()
    assert not list(run.path.glob(".*.tmp"))


def test_replacing_a_file_keeps_the_old_one_when_the_new_one_fails(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    replace_file(path, b"old")
    monkeypatch.setattr(module.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(errno.EIO, "fails")))
    with pytest.raises(OSError, match="fails"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["last.pt"]


def test_rows_are_read_back_exactly_and_a_cut_line_is_left_out(tmp_path):
    run = create(tmp_path)
    values = {"loss": 0.1 + 0.2, "small": 5e-324, "none": float("inf")}
    run.log(3, "train", values)
    run.flush()
    assert run.metrics() == [(3, "train", name, value) for name, value in values.items()]
    with (run.path / "metrics.csv").open("a") as file:
        file.write("4,train,lo")
    assert len(run.metrics()) == 3


def test_files_are_cut_back_to_what_a_checkpoint_remembers_and_the_log_stays(tmp_path):
    run = create(tmp_path)
    run.log(1, "train", {"loss": 1.0})
    run.time(1, 0.5, {"samples": 8})
    lengths = run.lengths()
    before = (run.path / "metrics.csv").read_bytes()
    run.log(2, "train", {"loss": 2.0})
    run.note("printed")
    run.close()
    run.truncate(lengths)
    assert (run.path / "metrics.csv").read_bytes() == before
    assert (run.path / "timing.csv").read_text() == "step,seconds,counter,value\n1,0.500,samples,8\n"
    assert (run.path / "log.txt").read_text() == "printed\n"


def test_a_file_that_is_too_short_is_not_filled_with_zeros(tmp_path):
    run = create(tmp_path)
    run.log(1, "train", {"loss": 1.0})
    lengths = run.lengths()
    (run.path / "metrics.csv").write_text("edited")
    with pytest.raises(UsageError) as error:
        run.truncate(lengths)
    assert (error.value.code, error.value.fields["path"]) == ("damaged", run.path / "metrics.csv")
    assert (run.path / "metrics.csv").read_text() == "edited"


def test_the_end_is_written_even_when_the_rows_cannot(tmp_path, monkeypatch):
    run = create(tmp_path)
    monkeypatch.setattr(run, "flush", lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        run.finish("failed", 1)
    assert Run.open(run.path).status == "failed"


def test_taking_it_up_again_forgets_how_it_ended(tmp_path):
    run = create(tmp_path)
    run.finish("completed", 0, metrics={"test": {"mse": 1.0}}, reason="steps")
    run.resume()
    found = Run.open(run.path).info
    assert (found["status"], found["exit_code"], found["ended"], found["metrics"]) == ("running", None, None, {})
    assert "reason" not in found


def test_artifacts_lie_in_their_folder_and_are_replaced(tmp_path):
    run = create(tmp_path)
    run.keep("deep/table.csv", b"1")
    path = run.keep("deep/table.csv", b"2")
    assert path == run.path / "artifacts" / "deep" / "table.csv"
    assert path.read_bytes() == b"2"


def test_a_checkpoint_set_aside_is_the_one_before(tmp_path):
    run = create(tmp_path)
    run.set_aside("best")
    run.checkpoint("best", b"one")
    run.set_aside("best")
    run.checkpoint("best", b"two")
    assert run.checkpoint_path("best").read_bytes() == b"two"
    assert run.checkpoint_path("best_before").read_bytes() == b"one"
    run.drop_aside("best")
    assert os.listdir(run.path / "checkpoints") == ["best.pt"]


@pytest.mark.parametrize("links", [True, False])
def test_setting_aside_works_without_hard_links(links, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(module.os, "link", lambda *given: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
    run = create(tmp_path)
    run.checkpoint("best", b"one")
    run.set_aside("best")
    assert run.checkpoint_path("best_before").read_bytes() == b"one"


GOOD = {"id": "abc", "verb": "train", "label": "toy", "status": "completed", "started": "2026-01-01T00:00:00+00:00",
        "host": "here", "pid": 1, "metrics": {}, "schema": SCHEMA}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "problem"),
    [
        ("", "damaged", ""),
        (json.dumps(GOOD)[:-9], "damaged", ""),
        ("\x00\x00", "damaged", ""),
        ("[1]", "damaged", ""),
        ("{}", "damaged", "id, verb"),
        ("[" * 10**5, "damaged", ""),
        (json.dumps(GOOD | {"started": 3}), "damaged", "started"),
        (json.dumps(GOOD | {"started": "yesterday"}), "damaged", "started"),
        (json.dumps(GOOD | {"metrics": None}), "damaged", "metrics"),
        (json.dumps(GOOD | {"schema": SCHEMA + 1}), "invalid_data", f"schema {SCHEMA + 1}"),
        (json.dumps({"schema": SCHEMA + 1}), "invalid_data", "schema"),
    ],
)
def test_open_rejects_damaged_and_newer_run_json(text, code, problem, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError) as error:
        Run.open(tmp_path)
    assert (error.value.code, error.value.fields["path"]) == (code, f"{tmp_path}/run.json")
    assert problem in error.value.fields["problem"]


def test_open_rejects_a_folder_without_run_json(tmp_path):
    with pytest.raises(UsageError) as error:
        Run.open(Path(tmp_path))
    assert (error.value.code, error.value.fields["path"]) == ("invalid_data", tmp_path)


def test_a_table_grows_under_one_heading(tmp_path):
    run = create(tmp_path)
    run.grow("population.csv", "generation,fitness\n", "0,1.5\n")
    run.grow("population.csv", "generation,fitness\n", "1,2.5\n")
    run.flush()
    assert (run.path / "artifacts/population.csv").read_text() == "generation,fitness\n0,1.5\n1,2.5\n"


def test_a_table_is_cut_back_to_what_the_checkpoint_knows(tmp_path):
    run = create(tmp_path)
    run.grow("population.csv", "generation,fitness\n", "0,1.5\n")
    lengths = run.lengths()
    run.grow("population.csv", "generation,fitness\n", "1,2.5\n")
    run.grow("later.csv", "a\n", "1\n")
    run.close()
    again = Run.open(run.path)
    again.truncate(lengths)
    assert again.lengths() == lengths
    again.grow("population.csv", "generation,fitness\n", "1,3.5\n")
    again.close()
    assert (run.path / "artifacts/population.csv").read_text() == "generation,fitness\n0,1.5\n1,3.5\n"
    assert not (run.path / "artifacts/later.csv").exists()


def test_going_back_to_the_first_step_drops_tables(tmp_path):
    run = create(tmp_path)
    run.grow("population.csv", "generation,fitness\n", "0,1.5\n")
    run.close()
    Run.open(run.path).restart()
    assert not (run.path / "artifacts/population.csv").exists()


@pytest.mark.parametrize("name", ["../run.json", "artifacts/../run.json", "config.yaml"])
def test_a_checkpoint_cannot_have_other_files_cut(tmp_path, name):
    run = create(tmp_path)
    with pytest.raises(UsageError) as error:
        run.truncate({**run.lengths(), name: 0})
    assert (error.value.code, error.value.fields["path"]) == ("invalid_data", run.path / name)
