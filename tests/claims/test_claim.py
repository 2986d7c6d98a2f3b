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

OURS = sorted((catalogue.packaged_folder().parent / "dlcli/claims/catalogue").glob("*.yaml"))


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
    assert set(claim.members) <= set(systems.systems(catalogue.packaged_folder()))
    assert claim.seeds >= 5
    assert claim.minutes <= {"minutes": 5, "hour": 120, "gpu": math.inf}[claim.tier]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"teir": "hour"}, "unknown_key", "teir"),
        ({"tier": "hours"}, "unknown_name", "hours"),
        ({"split": "train"}, "unknown_name", "train"),
        ({"metrics": {"nll": "down"}}, "unknown_name", "down"),
        ({"metrics": {}}, "invalid_value", "metrics"),
        ({"relations": []}, "invalid_value", "relations"),
        ({"minutes": "five"}, "invalid_value", "minutes"),
        ({"minutes": float("nan")}, "invalid_value", "minutes"),
        ({"minutes": -5}, "invalid_value", "minutes"),
        ({"seeds": float("nan")}, "invalid_value", "seeds"),
        ({"seeds": float("inf")}, "invalid_value", "seeds"),
        ({"seeds": 5.9}, "invalid_value", "seeds"),
        ({"seeds": 0}, "invalid_value", "seeds"),
        ({"seeds": True}, "invalid_value", "seeds"),
        ({"arms": {"a": {"verb": "trane", "recipe": "tcn"}}}, "unknown_name", "trane"),
        ({"arms": {"a": {"verb": "train", "recipe": "tcn", "overrides": ["steps"]}}}, "invalid_value", "overrides"),
        ({"arms": {"a": {"verb": "train", "recipe": "tcn", "overrides": ["seed=3"]}}}, "conflict", "overrides"),
        ({"figures": [{"of": "a", "value": 1, "provenance": "guessed"}]}, "unknown_name", "guessed"),
        ({"figures": [{"of": "a", "value": [1, 2], "provenance": "paper"}]}, "invalid_value", "figures: value"),
        ({"statement": "a \x1b[31m is better."}, "invalid_value", "statement"),
        ({"metrics": {"gap": {"direction": "lower", "of": "nll", "minus": "test"}}}, "unknown_name", "test"),
    ],
)
def test_parse_rejects_invalid_fields(changes, code, field):
    with pytest.raises(UsageError) as error:
        stating.parse("made_up", stated(**changes))
    fields = error.value.fields
    assert error.value.code == code
    assert str(fields.get("name") or fields.get("key") or fields["second"]).endswith(field)


def test_parse_rejects_missing_fields():
    plain = stated()
    del plain["statement"]
    with pytest.raises(UsageError) as error:
        stating.parse("made_up", plain)
    assert (error.value.code, error.value.fields["key"]) == ("required", "claim made_up: statement")


def test_a_file_that_is_no_yaml_runs_nothing(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("!!python/object/apply:os.system ['touch made']")
    with pytest.raises(UsageError) as error:
        stating.read(path)
    assert (error.value.code, error.value.fields["path"]) == ("invalid_data", path)


@pytest.mark.parametrize("again", ["relations: [{better: b, than: a}]", "arms: {}", '"tier": hour'])
def test_what_is_said_twice_is_an_error(tmp_path, again):
    path = tmp_path / "twice.yaml"
    path.write_text(f"{yaml.safe_dump(PLAIN)}\n{again}\n")
    with pytest.raises(UsageError) as error:
        stating.read(path)
    assert (error.value.code, error.value.fields["path"]) == ("invalid_data", path)
    assert "duplicate key" in error.value.fields["problem"]


def test_one_that_is_wrong_does_not_hide_the_others(tmp_path):
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "empty.yaml").write_text("")
    (tmp_path / "claim" / "mine.yaml").write_text(yaml.safe_dump(PLAIN))
    found, wrong = stating.load_valid_claims((tmp_path,))
    assert {one.name for one in found} == {"mine"} | {path.stem for path in OURS}
    assert [message.startswith("claim empty ") for message in wrong] == [True]


def test_an_unknown_claim_gets_the_nearest_name():
    with pytest.raises(UsageError) as error:
        stating.load_claim("tcn_jsbb")
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "tcn_jsbb")
    assert "tcn_jsb" in error.value.fields["known"]


def test_the_definition_follows_what_is_judged_and_nothing_else():
    whole = stating.parse("a", PLAIN).definition
    assert stating.parse("b", stated(statement="Other words.", minutes=2)).definition == whole
    assert stating.parse("a", stated(relations=[{"better": "a", "than": "b"}])).definition != whole
    assert stating.parse("a", stated(metrics={"accuracy": "higher", "nll": "lower"})).definition != whole
    assert yaml.safe_load(yaml.safe_dump(PLAIN)) == PLAIN
