"""Claims: what a YAML must say, and that all of ours say it."""

import math
from pathlib import Path

import pytest
import yaml
from stated import PLAIN, stated

from dlcli.claims import claim as stating
from dlcli.claims import systems
from dlcli.config import catalogue
from dlcli.core.errors import UsageError

OURS = sorted((catalogue.packaged().parent / "dlcli/claims/catalogue").glob("*.yaml"))


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_ours_speak_of_recipes_files_and_data_that_exist(path):
    claim = stating.read(path)
    root = Path(__file__).resolve().parents[2]
    assert catalogue.describe(path)
    assert claim.waiting or (root / claim.file).is_file()
    assert all(
        arm.recipe in catalogue.members(f"experiment/{arm.verb}") or claim.waiting for arm in claim.arms.values()
    )
    assert set(claim.needs) <= set(catalogue.registry("data"))
    assert claim.members
    assert set(claim.members) <= set(systems.systems(catalogue.packaged()))
    assert claim.seeds >= 5
    assert claim.minutes <= {"minutes": 5, "hour": 120, "gpu": math.inf}[claim.tier]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"teir": "hour"}, "no key 'teir' .did you mean \"tier\""),
        ({"tier": "hours"}, 'did you mean "hour"'),
        ({"split": "train"}, "shows nothing of what was learned"),
        ({"metrics": {"nll": "down"}}, "no direction 'down'"),
        ({"metrics": {}}, "metrics is empty"),
        ({"relations": []}, "a relation at least"),
        ({"minutes": "five"}, "minutes is a number"),
        ({"minutes": float("nan")}, "minutes is a number"),
        ({"minutes": -5}, "minutes is above 0"),
        ({"seeds": float("nan")}, "seeds is a whole number above 0, not nan"),
        ({"seeds": float("inf")}, "seeds is a whole number"),
        ({"seeds": 5.9}, "seeds is a whole number"),
        ({"seeds": 0}, "seeds is a whole number above 0"),
        ({"seeds": True}, "seeds is a whole number"),
        ({"arms": {"a": {"verb": "trane", "recipe": "tcn"}}}, 'did you mean "train"'),
        ({"arms": {"a": {"verb": "train", "recipe": "tcn", "overrides": ["steps"]}}}, "KEY=VALUE"),
        ({"arms": {"a": {"verb": "train", "recipe": "tcn", "overrides": ["seed=3"]}}}, "seeds are those of the claim"),
        ({"figures": [{"of": "a", "value": 1, "provenance": "guessed"}]}, "no provenance 'guessed'"),
        ({"figures": [{"of": "a", "value": [1, 2], "provenance": "paper"}]}, "value is text or a number"),
        ({"statement": "a \x1b[31m is better."}, "cannot be printed"),
        ({"metrics": {"gap": {"direction": "lower", "of": "nll", "minus": "test"}}}, "no split to take away 'test'"),
    ],
)
def test_what_is_wrong_is_said(changes, said):
    with pytest.raises(UsageError, match=said):
        stating.parse("made_up", stated(**changes))


def test_what_is_missing_is_said():
    plain = stated()
    del plain["statement"]
    with pytest.raises(UsageError, match="statement missing"):
        stating.parse("made_up", plain)


def test_a_file_that_is_no_yaml_runs_nothing(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("!!python/object/apply:os.system ['touch made']")
    with pytest.raises(UsageError, match=r"odd\.yaml"):
        stating.read(path)


@pytest.mark.parametrize("again", ["relations: [{better: b, than: a}]", "arms: {}", '"tier": hour'])
def test_what_is_said_twice_is_an_error(tmp_path, again):
    path = tmp_path / "twice.yaml"
    path.write_text(f"{yaml.safe_dump(PLAIN)}\n{again}\n")
    with pytest.raises(UsageError, match=r"is there twice.*line"):
        stating.read(path)


def test_one_that_is_wrong_does_not_hide_the_others(tmp_path):
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "empty.yaml").write_text("")
    (tmp_path / "claim" / "mine.yaml").write_text(yaml.safe_dump(PLAIN))
    found, wrong = stating.readable((tmp_path,))
    assert {one.name for one in found} == {"mine"} | {path.stem for path in OURS}
    assert wrong == ["claim empty: a mapping was wanted, not None"]


def test_an_unknown_claim_gets_the_nearest_name():
    with pytest.raises(UsageError, match='did you mean "tcn_jsb"'):
        stating.find("tcn_jsbb")


def test_the_definition_follows_what_is_judged_and_nothing_else():
    whole = stating.parse("a", PLAIN).definition
    assert stating.parse("b", stated(statement="Other words.", minutes=2)).definition == whole
    assert stating.parse("a", stated(relations=[{"better": "a", "than": "b"}])).definition != whole
    assert stating.parse("a", stated(metrics={"accuracy": "higher", "nll": "lower"})).definition != whole
    assert yaml.safe_load(yaml.safe_dump(PLAIN)) == PLAIN
