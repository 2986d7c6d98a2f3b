"""Choosing runs by age and status, and hearing of directories that cannot be read."""

import json
from datetime import datetime, timedelta

import pytest
from made_runs import make_run

from dlcli.core.errors import UsageError
from dlcli.runs import selectors
from dlcli.runs.record import SCHEMA


def ago(**delta):
    return (datetime.now().astimezone() - timedelta(**delta)).isoformat()


@pytest.fixture
def found(tmp_path):
    for number, delta in enumerate(({"seconds": 5}, {"minutes": 90}, {"hours": 30}, {"days": 10})):
        make_run(tmp_path, seed=number, info={"started": ago(**delta), "status": ["completed", "failed"][number % 2]})
    return selectors.scan(tmp_path)


@pytest.mark.parametrize(
    ("text", "count"),
    [("30s", 1), ("2h", 2), ("90 min", 1), ("1.6h", 2), ("2d", 3), ("1w", 3), ("2w", 4), ("0s", 0), ("1999-01-01", 4)],
)
def test_since_selects_by_age(found, text, count):
    assert len(selectors.since(found, text)) == count


@pytest.mark.parametrize("text", ["", "2", "h", "2 years", "yesterday", "2026-13-01", "-2h", "9" * 30 + "d", "2h; ls"])
def test_since_invalid_text_raises_usage_error(found, text):
    with pytest.raises(UsageError) as error:
        selectors.since(found, text)
    fields = error.value.fields
    assert (error.value.code, fields["key"], fields["got"]) == ("invalid_value", "--since", text)


def test_of_status_selects_by_status(found):
    assert [run.info["seed"] for run in selectors.of_status(found, "failed")] == [1, 3]
    assert len(selectors.of_status(found, "failed, completed")) == 4
    assert selectors.of_status(found, "lost") == []
    with pytest.raises(UsageError, match='"failed"'):
        selectors.of_status(found, "faild")
    with pytest.raises(UsageError, match="--status"):
        selectors.of_status(found, ",")


def test_select_reports_unreadable_runs(tmp_path):
    sound = make_run(tmp_path)
    damaged, newer, half = (make_run(tmp_path) for _ in range(3))
    (damaged / "run.json").write_text('{"id": "tr')
    (newer / "run.json").write_text(json.dumps({"schema": SCHEMA + 1}))
    (half / "run.json").unlink()
    told = {}
    for _ in range(2):
        found = selectors.select([], tmp_path, lambda path, reason: told.setdefault(path, reason))
    assert [run.path for run in found] == [sound]
    assert {path.name for path in told} == {damaged.name, newer.name, half.name}
    assert "is damaged" in told[damaged]
    assert "newer dlcli" in told[newer]
    assert "run.json" in told[half]
    assert [run.path for run in selectors.select([str(tmp_path / "train")], tmp_path / "no", told.setdefault)] == [
        sound
    ]
