"""Sweep directories: recorded runs, selectors, damaged files."""

import json
import shutil

import pytest

from dlcli.core.errors import Missing, UsageError
from dlcli.runs import selectors
from dlcli.runs.run import Run
from dlcli.runs.sweep import Sweep, find_sweeps, list_sweeps

FACTS = {"name": None, "tags": [], "parent": None, "seed": 0}


@pytest.fixture
def sweep(tmp_path):
    return Sweep.create(tmp_path, "train", [["tcn", "seed=0"], ["tcn", "seed=1"]], jobs=2)


def finished(out):
    run = Run.create(out, "train", "tcn", "seed: 0\n", **FACTS)
    run.finish("completed", 0)
    return run


def test_sweep_note_is_read_by_another_process(sweep, tmp_path):
    run = finished(tmp_path)
    sweep.note(1, run=run.path, exit_code=0)
    again = Sweep.open(sweep.path)
    assert again.run_of(1) == run.path
    assert again.run_of(0) is None
    assert again.members() == [run.path]
    assert [point["exit_code"] for point in again.points] == [None, 0]
    assert again.info["jobs"] == 2


def test_sweep_note_without_changes_writes_nothing(sweep, monkeypatch):
    sweep.note(0, exit_code=1)
    monkeypatch.setattr(Sweep, "save", lambda self: pytest.fail("written"))
    sweep.note(0, exit_code=1)
    sweep.note(0)


def test_sweep_members_follow_a_moved_folder(sweep, tmp_path):
    sweep.note(0, run=finished(tmp_path).path)
    moved = tmp_path.with_name(tmp_path.name + "_moved")
    shutil.move(tmp_path, moved)
    (found,) = Sweep.open(list_sweeps(moved)[0]).members()
    assert found.is_relative_to(moved)


def test_sweep_members_exclude_deleted_runs(sweep, tmp_path):
    run = finished(tmp_path)
    sweep.note(0, run=run.path, exit_code=0)
    run.discard()
    assert sweep.members() == []


def test_sweep_lock_is_exclusive(sweep):
    assert not Sweep.open(sweep.path).hold()
    sweep.let_go()
    assert Sweep.open(sweep.path).hold()


def test_sweep_selectors_are_last_id_prefix_and_path(sweep, tmp_path):
    other = Sweep.create(tmp_path, "train", [["gru"]])
    assert set(find_sweeps("last", tmp_path)) <= {sweep.path, other.path}
    assert find_sweeps(sweep.id, tmp_path) == [sweep.path]
    assert find_sweeps(sweep.id[:5], tmp_path) == [sweep.path]
    assert find_sweeps(str(other.path), tmp_path) == [other.path]
    assert find_sweeps("", tmp_path) == find_sweeps("nothing", tmp_path) == []
    assert find_sweeps("last", tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("{", "damaged"), ("[]", "damaged"), ("[" * 100_000, "damaged"), ('{"schema": 99}', "invalid_data"),
        ('{"points": []}', "damaged"), (None, "invalid_data"),
    ],
)  # fmt: skip
def test_sweep_open_rejects_damaged_newer_and_missing_files(tmp_path, content, code):
    if content is not None:
        (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(UsageError) as error:
        Sweep.open(tmp_path)
    assert error.value.code == code


@pytest.mark.parametrize("change", [{"words": "tcn"}, {"words": [1]}, {"run": 3}, {"exit_code": "0"}])
def test_sweep_open_checks_points(sweep, change):
    info = json.loads((sweep.path / "sweep.json").read_text())
    info["points"][0] |= change
    (sweep.path / "sweep.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match="points"):
        Sweep.open(sweep.path)


def test_select_accepts_a_sweep(sweep, tmp_path):
    mine, _ = finished(tmp_path), finished(tmp_path)
    sweep.note(1, run=mine.path)
    for selector in (sweep.id, str(sweep.path)):
        assert [run.id for run in selectors.select([selector], tmp_path)] == [mine.id]


def test_a_sweep_without_runs_selects_none(sweep, tmp_path):
    with pytest.raises(Missing) as missing:
        selectors.select([sweep.id], tmp_path)
    assert (missing.value.code, missing.value.fields["name"]) == ("not_found", str(sweep.path))
    (sweep.path / "sweep.json").write_text("{")
    with pytest.raises(UsageError) as damaged:
        selectors.select([str(sweep.path)], tmp_path)
    assert damaged.value.code == "damaged"
