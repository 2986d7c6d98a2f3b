"""Keeping house: what goes, what stays, and that nothing goes by accident."""

import json
import os
import shutil
import socket
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from dlcli.cli.app import app
from dlcli.commands.runs import deletion, prune
from dlcli.runs import files as run_files
from dlcli.runs import selectors
from dlcli.runs.run import Run


def dlcli(out, *words):
    return CliRunner().invoke(app, ["runs", *map(str, words), "--out", str(out)])


def make(out, status="completed", days=0, label="toy", **facts):
    """A run that ended so many days ago, with a checkpoint of each kind."""
    run = Run.create(out, "train", label, "seed: 0\n", tags=[], name=None, **facts)
    for name in ("last", "best", "best_before"):
        run.checkpoint(name, name.encode() * 100)
    run.finish(status, 0 if status == "completed" else 1)
    run.info["ended"] = (datetime.now().astimezone() - timedelta(days=days)).isoformat()
    run.save()
    return run


def lose(run):
    """As a kill leaves it."""
    run.info |= {"status": "running", "ended": None, "host": socket.gethostname()}
    run.save()
    return run


def ids(out):
    return {run.id for run in selectors.scan(out, children=True)}


def files(out):
    return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_rm_takes_what_is_named_and_nothing_else(tmp_path):
    gone, stays = make(tmp_path), make(tmp_path)
    result = dlcli(tmp_path, "rm", gone.id, "--yes")
    assert result.exit_code == 0, result.stderr
    assert ids(tmp_path) == {stays.id}
    assert not gone.path.exists()
    assert not list(tmp_path.rglob(f"*{run_files.REMOVED}"))


def test_a_dry_run_says_how_many_bytes_and_touches_nothing(tmp_path):
    run = make(tmp_path)
    before = files(tmp_path)
    told = json.loads(dlcli(tmp_path, "rm", run.id, "--dry-run", "--json").stdout)
    hard = sum(len(content) for content in before.values())
    assert (told["bytes"], told["dry_run"], [item["id"] for item in told["items"]]) == (hard, True, [run.id])
    assert "would remove" in dlcli(tmp_path, "prune", "--status", "completed", "--dry-run").stderr
    assert files(tmp_path) == before


def test_a_file_with_two_names_counts_once(tmp_path):
    (tmp_path / "a").write_bytes(b"1234567")
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to("a")
    assert run_files.size_of(tmp_path) == 7


def test_without_a_terminal_it_wants_yes(tmp_path):
    run = make(tmp_path, "failed")
    for words in (("rm", run.id), ("prune",), ("rm", run.id, "--json")):
        result = dlcli(tmp_path, *words)
        assert (result.exit_code, "--yes" in result.stderr) == (2, True), words
    assert ids(tmp_path) == {run.id}


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("", 1), ("\n", 1)])
def test_at_a_terminal_it_asks(tmp_path, monkeypatch, answer, left):
    make(tmp_path)

    class Terminal:
        def isatty(self):
            return True

        def readline(self):
            return answer

    monkeypatch.setattr("sys.stdin", Terminal())
    assert prune.rm(["last"], tmp_path, prune.Consent()) == left
    assert len(ids(tmp_path)) == left


def test_a_live_run_is_never_removed_and_nothing_else_then_either(tmp_path):
    other, live = make(tmp_path, "failed"), Run.create(tmp_path, "train", "toy", "seed: 0\n", tags=[], name=None)
    for words in (("rm", "1:2"), ("rm", live.path), ("rm", tmp_path)):
        result = dlcli(tmp_path, *words, "--yes")
        assert result.exit_code == 2, result.stderr
        assert live.id in result.stderr
    assert dlcli(tmp_path, "prune", "--status", "running", "--yes").exit_code == 2
    assert dlcli(tmp_path, "prune", "--yes").exit_code == 0
    assert ids(tmp_path) == {live.id}
    assert not other.path.exists()
    live.finish("completed", 0)


def test_a_run_of_another_machine_counts_as_alive(tmp_path):
    run = lose(make(tmp_path))
    run.info["host"] = "elsewhere"
    run.save()
    assert dlcli(tmp_path, "rm", run.id, "--yes").exit_code == 2
    assert dlcli(tmp_path, "prune", "--yes").exit_code == 0
    assert ids(tmp_path) == {run.id}


def test_a_run_with_a_live_child_stays_and_so_does_a_child_of_a_live_run(tmp_path):
    parent = make(tmp_path, "failed")
    child = Run.create(parent.path / "runs", "train", "toy", "seed: 0\n", parent=parent.id)
    for words in (("rm", parent.id, "--yes"), ("prune", "--yes")):
        dlcli(tmp_path, *words)
        assert ids(tmp_path) == {parent.id, child.id}
    child.finish("failed", 1)
    parent.lock()
    lose(parent)
    assert dlcli(tmp_path, "rm", child.id, "--yes").exit_code == 2
    parent.close()
    assert dlcli(tmp_path, "rm", parent.id, child.id, "--yes").exit_code == 0
    assert not ids(tmp_path)


def test_one_that_came_to_life_while_one_was_asked_stays(tmp_path, monkeypatch):
    run = make(tmp_path, "failed")

    def agree(summed, consent):
        again = Run.open(run.path)
        again.resume()
        again.finish("completed", 0)
        return True

    monkeypatch.setattr(deletion, "_agreed", agree)
    assert prune.rm([run.id], tmp_path, prune.Consent()) == 1
    assert ids(tmp_path) == {run.id}


def test_an_interrupt_leaves_no_half_run_listed_and_prune_finishes_it(tmp_path, monkeypatch):
    run = make(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        assert dlcli(tmp_path, "rm", run.id, "--yes").exit_code == 130
    trouble = []
    assert not selectors.scan(tmp_path, children=True, trouble=lambda path, reason: trouble.append(path))
    assert not trouble
    (left,) = tmp_path.rglob(f".*{run_files.REMOVED}")
    assert (left / "checkpoints/best.pt").exists()
    assert dlcli(tmp_path, "prune", "--yes").exit_code == 0
    assert not left.exists()


def test_what_cannot_be_removed_is_told_and_the_rest_goes(tmp_path, monkeypatch):
    stuck, other = make(tmp_path), make(tmp_path)
    remove = prune.remove_folder

    def stubborn(path):
        if path == stuck.path.resolve():
            raise PermissionError(13, "Permission denied", str(path))
        remove(path)

    monkeypatch.setattr(prune, "remove_folder", stubborn)
    result = dlcli(tmp_path, "rm", "1:2", "--yes")
    assert (result.exit_code, "Permission denied" in result.stderr) == (1, True)
    assert ids(tmp_path) == {stuck.id}
    assert not other.path.exists()


def test_the_beginning_of_an_id_may_not_name_several(tmp_path):
    for identity in ("abc111", "abc222"):
        run = make(tmp_path)
        run.info["id"] = identity
        run.save()
    result = dlcli(tmp_path, "rm", "abc", "--yes")
    assert (result.exit_code, "abc111" in result.stderr) == (2, True)
    assert len(ids(tmp_path)) == 2
    assert dlcli(tmp_path, "rm", "abc1", "--yes").exit_code == 0
    assert ids(tmp_path) == {"abc222"}


@pytest.mark.parametrize("words", [("rm",), ("rm", ""), ("rm", "--yes"), ("rm", "none"), ("rm", "7"), ("rm", "@x")])
def test_nothing_named_is_nothing_removed(tmp_path, words):
    make(tmp_path)
    assert dlcli(tmp_path, *words).exit_code == 2
    assert len(ids(tmp_path)) == 1


def test_a_folder_of_runs_elsewhere_wants_to_be_named_as_such(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    runs_there = [make(other), make(other)]
    make(own)
    result = dlcli(own, "rm", other, "--yes")
    assert (result.exit_code, f"--out {other}" in result.stderr) == (2, True)
    assert len(ids(other)) == 2
    assert dlcli(own, "rm", runs_there[0].path, "--yes").exit_code == 0
    assert dlcli(other, "rm", other / "train", "--yes").exit_code == 0
    assert (ids(other), len(ids(own))) == (set(), 1)


def test_relations_are_told(tmp_path):
    run = make(tmp_path)
    make(run.path / "runs", parent=run.id)
    scoring = make(tmp_path, parent=run.id)
    sweep = tmp_path / "sweeps" / "2026_s12345"
    sweep.mkdir(parents=True)
    (sweep / "sweep.json").write_text(json.dumps({"members": [{"words": ["a=1"], "run": f"../../x/{run.path.name}"}]}))
    (item,) = json.loads(dlcli(tmp_path, "rm", run.id, "--dry-run", "--json").stdout)["items"]
    for told in ("member of sweep 2026_s12345", "includes 1 child run", "1 dependent run not included"):
        assert told in item["remark"]
    (item,) = json.loads(dlcli(tmp_path, "rm", scoring.id, "--dry-run", "--json").stdout)["items"]
    assert item["remark"] == f"child of run {run.id}"


def test_prune_takes_failed_and_lost_runs_by_age(tmp_path):
    old, new = make(tmp_path, "failed", days=40), make(tmp_path, "failed", days=2)
    kept = [make(tmp_path, status, days=99) for status in ("completed", "stopped", "preempted")]
    diverged = [make(tmp_path, "diverged", days=days) for days in (99, 1)]
    lost = lose(make(tmp_path))
    month = datetime.now().timestamp() - 40 * 86400
    for path in lost.path.rglob("*"):
        os.utime(path, (month, month))
    young = lose(make(tmp_path))
    assert dlcli(tmp_path, "prune", "--older-than", "30d", "--yes").exit_code == 0
    assert ids(tmp_path) == {run.id for run in (new, young, *kept, diverged[1])}
    assert not old.path.exists()
    assert dlcli(tmp_path, "prune", "--status", "lost", "--dry-run", "--yes").exit_code == 0
    assert dlcli(tmp_path, "prune", "--status", "failed,diverged", "--yes").exit_code == 0
    assert ids(tmp_path) == {run.id for run in (young, *kept)}


def test_prune_takes_half_written_directories_and_leaves_damaged_ones(tmp_path):
    half, damaged = make(tmp_path), make(tmp_path)
    (half.path / "run.json").unlink()
    (damaged.path / "run.json").write_text("{")
    result = dlcli(tmp_path, "prune", "--yes")
    assert not half.path.exists()
    assert damaged.path.exists()
    assert "damaged" in result.stderr


def test_prune_leaves_a_directory_that_is_being_made(tmp_path):
    run = make(tmp_path)
    (run.path / "run.json").unlink()
    run.lock()
    assert dlcli(tmp_path, "prune", "--yes").exit_code == 0
    assert run.path.exists()
    run.close()


def test_stale_checkpoints_go_where_a_best_one_stays(tmp_path):
    old, new, broken = make(tmp_path, days=40), make(tmp_path), make(tmp_path, "failed", days=40)
    only_last = make(tmp_path, days=40)
    for name in ("best", "best_before"):
        only_last.checkpoint_path(name).unlink()
    words = ("prune", "--checkpoints", "--older-than", "30d")
    assert json.loads(dlcli(tmp_path, *words, "--dry-run", "--json").stdout)["bytes"] == 100 * len("lastbest_before")
    assert dlcli(tmp_path, *words, "--yes").exit_code == 0
    names = [sorted(path.stem for path in (run.path / "checkpoints").iterdir()) for run in (old, new, broken)]
    assert names == [["best"], ["best", "best_before", "last"], ["best", "best_before", "last"]]
    assert only_last.checkpoint_path("last").exists()
    assert "nothing to remove" in dlcli(tmp_path, *words, "--yes").stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--older-than", "soon"), "--older-than"),
        (("--older-than", "-3d"), "--older-than"),
        (("--status", "fialed"), '"failed"'),
        (("--checkpoints", "--status", "failed"), "--status"),
    ],
)
def test_what_prune_does_not_understand(tmp_path, words, told):
    make(tmp_path, "failed")
    result = dlcli(tmp_path, "prune", *words, "--yes")
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr
    assert len(ids(tmp_path)) == 1


def test_tags_are_put_on_and_taken_off(tmp_path):
    one, two = make(tmp_path), make(tmp_path)
    assert dlcli(tmp_path, "tag", "1:2", "--add", "good", "--add", "@fast", "--add", "good").exit_code == 0
    assert {run.id for run in selectors.select(["@fast"], tmp_path)} == {one.id, two.id}
    assert dlcli(tmp_path, "tag", one.id, "--remove", "fast").exit_code == 0
    assert Run.open(one.path).info["tags"] == ["good"]
    facts = Run.open(two.path).info
    assert facts["tags"] == ["good", "fast"]
    assert {**facts, "tags": []} == {**two.info, "tags": []}


def test_a_dry_run_of_tag_touches_nothing(tmp_path):
    make(tmp_path)
    before = files(tmp_path)
    result = dlcli(tmp_path, "tag", "last", "--add", "x", "--dry-run", "--json")
    assert list(json.loads(result.stdout).values()) == [["x"]]
    assert files(tmp_path) == before


def test_when_one_is_alive_none_is_tagged(tmp_path):
    done, live = make(tmp_path), Run.create(tmp_path, "train", "toy", "seed: 0\n", tags=[], name=None)
    result = dlcli(tmp_path, "tag", done.id, live.id, "--add", "x")
    assert (result.exit_code, live.id in result.stderr) == (2, True)
    assert Run.open(done.path).info["tags"] == []
    live.finish("completed", 0)


def test_a_lost_run_stays_lost_when_it_is_tagged(tmp_path):
    run = lose(make(tmp_path))
    assert dlcli(tmp_path, "tag", run.id, "--add", "x").exit_code == 0
    assert (Run.open(run.path).status, Run.open(run.path).info["tags"]) == ("lost", ["x"])


@pytest.mark.parametrize(
    "words", [("last",), ("--add", "x"), ("last", "--add", ""), ("last", "--add", "a\nb"),
              ("last", "--add", "x", "--remove", "x"), ("last", "--add", " ")]
)  # fmt: skip
def test_tags_that_make_no_sense(tmp_path, words):
    run = make(tmp_path)
    assert dlcli(tmp_path, "tag", *words).exit_code == 2
    assert Run.open(run.path).info["tags"] == []
