"""Choosing runs in words."""

import json

import pytest

from dlcli.core.errors import Missing, UsageError
from dlcli.runs import selectors
from dlcli.runs.record import SCHEMA
from dlcli.runs.run import Run


def make(out, identity, started, label="toy", **facts):
    """A finished run with an id and a time of its own."""
    path = out / "train" / label / f"stamp_{identity}"
    path.mkdir(parents=True)
    info = {
        "schema": SCHEMA, "id": identity, "verb": "train", "label": label, "status": "completed", "exit_code": 0,
        "started": started, "ended": started, "host": "here", "pid": 1, "metrics": {}, "tags": [], **facts,
    }  # fmt: skip
    (path / "run.json").write_text(json.dumps(info))
    return path


@pytest.fixture
def out(tmp_path):
    """Five runs, the oldest first, in two folders."""
    make(tmp_path, "aaaaaa", "2026-01-01T10:00:00+00:00", name="first")
    make(tmp_path, "aabbbb", "2026-01-01T11:00:00+00:00", tags=["good"])
    make(tmp_path, "cccccc", "2026-01-01T12:00:00+00:00", "other", tags=["good", "fast"])
    make(tmp_path, "d1d1d1", "2026-01-01T13:00:00+00:00")
    make(tmp_path, "eeeeee", "2026-01-01T14:00:00+00:00", parent="d1d1d1")
    return tmp_path


def ids(found):
    return [run.id for run in found]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], ["d1d1d1", "cccccc", "aabbbb", "aaaaaa"]),
        (["last"], ["d1d1d1"]),
        (["1"], ["d1d1d1"]),
        (["4"], ["aaaaaa"]),
        (["1:3"], ["d1d1d1", "cccccc", "aabbbb"]),
        (["3:"], ["aabbbb", "aaaaaa"]),
        ([":2"], ["d1d1d1", "cccccc"]),
        (["3:99"], ["aabbbb", "aaaaaa"]),
        (["@good"], ["cccccc", "aabbbb"]),
        (["@fast"], ["cccccc"]),
        (["aa"], ["aabbbb", "aaaaaa"]),
        (["aab"], ["aabbbb"]),
        (["d1"], ["d1d1d1"]),
        (["eee"], ["eeeeee"]),
        (["first"], ["aaaaaa"]),
        (["aaaaaa", "last", "4", "@good"], ["d1d1d1", "cccccc", "aabbbb", "aaaaaa"]),
    ],
)
def test_select_accepts_every_kind_of_selector(words, wanted, out):
    assert ids(selectors.select(words, out)) == wanted


def test_select_accepts_paths(out, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    path = out / "train" / "toy" / "stamp_aabbbb"
    assert ids(selectors.select([str(path)], elsewhere)) == ["aabbbb"]
    assert ids(selectors.select([str(out / "train" / "other")], elsewhere)) == ["cccccc"]
    assert ids(selectors.select([str(out)], elsewhere)) == ["d1d1d1", "cccccc", "aabbbb", "aaaaaa"]
    monkeypatch.chdir(out / "train")
    assert ids(selectors.select(["toy"], elsewhere)) == ["d1d1d1", "aabbbb", "aaaaaa"]


def test_scan_accepts_any_folder_name(tmp_path):
    make(tmp_path / "runs" / "artifacts", "aaaaaa", "2026-01-01T10:00:00+00:00", label="checkpoints")
    assert ids(selectors.scan(tmp_path)) == ["aaaaaa"]


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("0", "there is no run 0: .* holds 4 runs"),
        ("5", "there is no run 5: .* holds 4 runs"),
        ("3:1", "there is no run 3:1"),
        ("@god", r'has the tag \'god\' \(did you mean "good"\?\)'),
        ("cccccd", r'no run \'cccccd\' in .* \(did you mean "cccccc"\?\)'),
        ("frist", r'did you mean "first"'),
        (":", "no run ':'"),
        ("1:2:3", "no run '1:2:3'"),
        ("²", "no run '²'"),
        ("-1", "no run '-1'"),
        ("~nobody_of_this_name", "no run '~nobody"),
        ("no/such/run", "there is no run at no/such/run"),
        ("", "an empty selector names no run"),
    ],
)
def test_select_rejects_unmatched_selectors(selector, words, out):
    with pytest.raises(UsageError, match=words):
        selectors.select([selector], out)


def test_one_rejects_several_matches(out):
    assert selectors.one("last", out).id == "d1d1d1"
    with pytest.raises(UsageError, match=r"'aa' names 2 runs \(aabbbb, aaaaaa ...\); one is wanted"):
        selectors.one("aa", out)


def test_select_in_an_empty_folder_is_empty(tmp_path):
    for out in (tmp_path, tmp_path / "nowhere"):
        assert selectors.select([], out) == []
        with pytest.raises(Missing, match=r"there is no run last|holds 0 runs"):
            selectors.one("last", out)
    with pytest.raises(Missing, match="holds no run"):
        selectors.one(str(tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is damaged"),
        ('{"id": "zzz"}', "is damaged"),
        (json.dumps({"schema": SCHEMA + 1, "id": "zzz"}), "newer dlcli"),
    ],
)
def test_scan_skips_damaged_and_newer_runs(text, words, out):
    path = out / "train" / "toy" / "stamp_zzz"
    path.mkdir()
    (path / "run.json").write_text(text)
    assert len(selectors.scan(out)) == 4
    assert selectors.one("last", out).id == "d1d1d1"
    with pytest.raises(UsageError, match=words):
        selectors.one(str(path), out)


def test_scan_sorts_across_time_zones(tmp_path):
    make(tmp_path, "summer", "2026-10-25T02:50:00+02:00")
    make(tmp_path, "winter", "2026-10-25T02:10:00+01:00")
    make(tmp_path, "tokyo1", "2026-10-25T09:00:00+09:00")
    assert ids(selectors.scan(tmp_path)) == ["winter", "summer", "tokyo1"]


def test_scan_skips_incomplete_directories(out):
    (out / "train" / "toy" / "stamp_half" / "checkpoints").mkdir(parents=True)
    assert len(selectors.scan(out, children=True)) == 5


def test_scan_does_not_follow_link_cycles(out):
    (out / "train" / "round").symlink_to(out, target_is_directory=True)
    assert len(selectors.scan(out)) == 4


def test_scan_finds_children_in_parent_directories(tmp_path):
    parent = Run.create(tmp_path, "train", "toy", "")
    Run.create(parent.path / "runs", "train", "toy", "", parent=parent.id)
    assert ids(selectors.scan(tmp_path)) == [parent.id]
    assert len(selectors.scan(tmp_path, children=True)) == 2
