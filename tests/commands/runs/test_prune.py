"""`dlcli runs rm|prune|tag`: deletion after confirmation, and tags."""

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
    """A run that ended `days` days ago, with a checkpoint of each kind."""
    run = Run.create(out, "train", label, "seed: 0\n", tags=[], name=None, **facts)
    for name in ("last", "best", "best_before"):
        run.checkpoint(name, name.encode() * 100)
    run.finish(status, 0 if status == "completed" else 1)
    run.info["ended"] = (datetime.now().astimezone() - timedelta(days=days)).isoformat()
    run.save()
    return run


def lose(run):
    """Set the run.json to that of a killed process."""
    run.info |= {"status": "running", "ended": None, "host": socket.gethostname()}
    run.save()
    return run


def ids(out):
    return {run.id for run in selectors.scan(out, children=True)}


def files(out):
    return {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_rm_deletes_only_the_selected_run(tmp_path):
    gone, stays = make(tmp_path), make(tmp_path)
    result = dlcli(tmp_path, "rm", gone.id, "--yes")
    assert result.exit_code == 0, result.stderr
    assert ids(tmp_path) == {stays.id}
    assert not gone.path.exists()
    assert not list(tmp_path.rglob(f"*{run_files.REMOVED}"))


def test_rm_dry_run_reports_bytes_and_deletes_nothing(tmp_path):
    run = make(tmp_path)
    before = files(tmp_path)
    record = json.loads(dlcli(tmp_path, "rm", run.id, "--dry-run", "--json").stdout)
    hard = sum(len(content) for content in before.values())
    assert (record["bytes"], record["dry_run"], [item["id"] for item in record["items"]]) == (hard, True, [run.id])
    assert "would delete" in dlcli(tmp_path, "prune", "--status", "completed", "--dry-run").stderr
    assert files(tmp_path) == before


def test_size_of_counts_hard_links_once(tmp_path):
    (tmp_path / "a").write_bytes(b"1234567")
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to("a")
    assert run_files.size_of(tmp_path) == 7


def test_rm_without_terminal_requires_yes(tmp_path):
    run = make(tmp_path, "failed")
    for words in (("rm", run.id), ("prune",), ("rm", run.id, "--json")):
        result = dlcli(tmp_path, *words)
        assert (result.exit_code, "--yes" in result.stderr) == (2, True), words
    assert ids(tmp_path) == {run.id}


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("", 1), ("\n", 1)])
def test_rm_asks_for_confirmation_in_a_terminal(tmp_path, monkeypatch, answer, left):
    make(tmp_path)

    class Terminal:
        def isatty(self):
            return True

        def readline(self):
            return answer

    monkeypatch.setattr("sys.stdin", Terminal())
    assert prune.rm(["last"], tmp_path, prune.Confirmation()) == left
    assert len(ids(tmp_path)) == left


def test_rm_deletes_nothing_if_a_run_is_running(tmp_path):
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


def test_rm_treats_runs_of_other_hosts_as_running(tmp_path):
    run = lose(make(tmp_path))
    run.info["host"] = "elsewhere"
    run.save()
    assert dlcli(tmp_path, "rm", run.id, "--yes").exit_code == 2
    assert dlcli(tmp_path, "prune", "--yes").exit_code == 0
    assert ids(tmp_path) == {run.id}


def test_rm_rejects_running_children_and_parents(tmp_path):
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


def test_rm_keeps_a_run_that_changed_during_confirmation(tmp_path, monkeypatch):
    run = make(tmp_path, "failed")

    def agree(summed, consent):
        again = Run.open(run.path)
        again.resume()
        again.finish("completed", 0)
        return True

    monkeypatch.setattr(deletion, "_confirm", agree)
    assert prune.rm([run.id], tmp_path, prune.Confirmation()) == 1
    assert ids(tmp_path) == {run.id}


def test_prune_finishes_an_interrupted_deletion(tmp_path, monkeypatch):
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


def test_rm_reports_failures_and_deletes_the_rest(tmp_path, monkeypatch):
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


def test_rm_rejects_an_ambiguous_id_prefix(tmp_path):
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
def test_rm_requires_a_matching_selector(tmp_path, words):
    make(tmp_path)
    assert dlcli(tmp_path, *words).exit_code == 2
    assert len(ids(tmp_path)) == 1


def test_rm_rejects_folders_outside_out(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    runs_there = [make(other), make(other)]
    make(own)
    result = dlcli(own, "rm", other, "--yes")
    assert (result.exit_code, f"--out {other}" in result.stderr) == (2, True)
    assert len(ids(other)) == 2
    assert dlcli(own, "rm", runs_there[0].path, "--yes").exit_code == 0
    assert dlcli(other, "rm", other / "train", "--yes").exit_code == 0
    assert (ids(other), len(ids(own))) == (set(), 1)


def test_rm_reports_relations(tmp_path):
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


def test_prune_deletes_failed_and_lost_runs_by_age(tmp_path):
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


def test_prune_deletes_incomplete_but_not_damaged_directories(tmp_path):
    half, damaged = make(tmp_path), make(tmp_path)
    (half.path / "run.json").unlink()
    (damaged.path / "run.json").write_text("{")
    result = dlcli(tmp_path, "prune", "--yes")
    assert not half.path.exists()
    assert damaged.path.exists()
    assert "damaged" in result.stderr


def test_prune_keeps_locked_directories(tmp_path):
    run = make(tmp_path)
    (run.path / "run.json").unlink()
    run.lock()
    assert dlcli(tmp_path, "prune", "--yes").exit_code == 0
    assert run.path.exists()
    run.close()


def test_prune_checkpoints_keeps_best(tmp_path):
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
    assert "nothing to delete" in dlcli(tmp_path, *words, "--yes").stderr


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (("--older-than", "soon"), "--older-than"),
        (("--older-than", "-3d"), "--older-than"),
        (("--status", "fialed"), '"failed"'),
        (("--checkpoints", "--status", "failed"), "--status"),
    ],
)
def test_prune_rejects_invalid_options(tmp_path, words, fragment):
    make(tmp_path, "failed")
    result = dlcli(tmp_path, "prune", *words, "--yes")
    assert (result.exit_code, fragment in result.stderr) == (2, True), result.stderr
    assert len(ids(tmp_path)) == 1


def test_tag_adds_and_removes_tags(tmp_path):
    one, two = make(tmp_path), make(tmp_path)
    assert dlcli(tmp_path, "tag", "1:2", "--add", "good", "--add", "@fast", "--add", "good").exit_code == 0
    assert {run.id for run in selectors.select(["@fast"], tmp_path)} == {one.id, two.id}
    assert dlcli(tmp_path, "tag", one.id, "--remove", "fast").exit_code == 0
    assert Run.open(one.path).info["tags"] == ["good"]
    facts = Run.open(two.path).info
    assert facts["tags"] == ["good", "fast"]
    assert {**facts, "tags": []} == {**two.info, "tags": []}


def test_tag_dry_run_changes_nothing(tmp_path):
    make(tmp_path)
    before = files(tmp_path)
    result = dlcli(tmp_path, "tag", "last", "--add", "x", "--dry-run", "--json")
    assert list(json.loads(result.stdout).values()) == [["x"]]
    assert files(tmp_path) == before


def test_tag_changes_nothing_if_a_run_is_running(tmp_path):
    done, live = make(tmp_path), Run.create(tmp_path, "train", "toy", "seed: 0\n", tags=[], name=None)
    result = dlcli(tmp_path, "tag", done.id, live.id, "--add", "x")
    assert (result.exit_code, live.id in result.stderr) == (2, True)
    assert Run.open(done.path).info["tags"] == []
    live.finish("completed", 0)


def test_tag_keeps_the_status_of_a_lost_run(tmp_path):
    run = lose(make(tmp_path))
    assert dlcli(tmp_path, "tag", run.id, "--add", "x").exit_code == 0
    assert (Run.open(run.path).status, Run.open(run.path).info["tags"]) == ("lost", ["x"])


@pytest.mark.parametrize(
    "words", [("last",), ("--add", "x"), ("last", "--add", ""), ("last", "--add", "a\nb"),
              ("last", "--add", "x", "--remove", "x"), ("last", "--add", " ")]
)  # fmt: skip
def test_tag_rejects_invalid_tags(tmp_path, words):
    run = make(tmp_path)
    assert dlcli(tmp_path, "tag", *words).exit_code == 2
    assert Run.open(run.path).info["tags"] == []
