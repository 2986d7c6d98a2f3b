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
    ("selector", "code", "known"),
    [
        ("0", "not_found", None),
        ("5", "not_found", None),
        ("3:1", "not_found", None),
        ("@god", "not_found", "good"),
        ("cccccd", "not_found", "cccccc"),
        ("frist", "not_found", "first"),
        (":", "not_found", None),
        ("1:2:3", "not_found", None),
        ("²", "not_found", None),
        ("-1", "not_found", None),
        ("~nobody_of_this_name", "not_found", None),
        ("no/such/run", "missing_file", None),
        ("", "invalid_value", None),
    ],
)
def test_select_without_a_match_raises_usage_error(selector, code, known, out):
    with pytest.raises(UsageError) as error:
        selectors.select([selector], out)
    fields = error.value.fields
    assert error.value.code == code
    assert selector.removeprefix("@") in (fields.get("name"), fields.get("path"), fields.get("got"))
    assert known is None or known in fields["known"]
    assert fields.get("count", 4) == 4


def test_one_rejects_several_matches(out):
    assert selectors.one("last", out).id == "d1d1d1"
    with pytest.raises(UsageError) as error:
        selectors.one("aa", out)
    assert (error.value.code, error.value.fields["count"]) == ("ambiguous", 2)
    assert error.value.fields["matches"] == "aabbbb, aaaaaa"


def test_select_in_an_empty_folder_is_empty(tmp_path):
    for out in (tmp_path, tmp_path / "nowhere"):
        assert selectors.select([], out) == []
        with pytest.raises(Missing) as error:
            selectors.one("last", out)
        assert (error.value.code, error.value.fields["count"]) == ("not_found", 0)
    with pytest.raises(Missing) as error:
        selectors.one(str(tmp_path), tmp_path)
    assert (error.value.code, error.value.fields["name"]) == ("not_found", str(tmp_path))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "damaged"),
        ('{"id": "zzz"}', "damaged"),
        (json.dumps({"schema": SCHEMA + 1, "id": "zzz"}), "invalid_data"),
    ],
)
def test_selectors_skip_damaged_runs_in_lists_and_report_selected_ones(text, code, out):
    path = out / "train" / "toy" / "stamp_zzz"
    path.mkdir()
    (path / "run.json").write_text(text)
    assert len(selectors.scan(out)) == 4
    assert selectors.one("last", out).id == "d1d1d1"
    with pytest.raises(UsageError) as error:
        selectors.one(str(path), out)
    assert (error.value.code, str(error.value.fields["path"])) == (code, str(path / "run.json"))


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
