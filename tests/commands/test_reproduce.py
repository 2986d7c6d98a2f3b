"""`dlcli reproduce`: a tiny claim from its words to its verdict, and the exit codes."""

import json
from pathlib import Path

import pytest
import yaml
from stated import stated

from dlcli.claims import claim as stating
from dlcli.claims import results
from dlcli.claims.runner import Done, check_data
from dlcli.claims.verdict_record import judged
from dlcli.commands import reproduce as verb
from dlcli.core.errors import Missing, UsageError
from dlcli.engine.options import Options
from dlcli.launch.sweep_runner import Ways
from dlcli.runs.run import Run

ARMS = {
    "long": {"verb": "train", "recipe": "mlp_digits", "overrides": ["steps=40", "eval_every=40", "model.hidden=[16]"]},
    "short": {"verb": "train", "recipe": "mlp_digits", "overrides": ["steps=1", "eval_every=1", "model.hidden=[16]"]},
}
METRICS = {"accuracy": "higher", "gap": {"direction": "lower", "of": "nll", "minus": "train"}}
HOLDS = [{"better": "long", "than": "short", "by": 0.1}, {"value": "gap", "within": [-1, 9], "arm": "short"}]
FAILS = [{"better": "short", "than": "long"}]


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Claims of one's own, run in an empty folder; a function that runs one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "claim").mkdir(parents=True)

    def state(name, relations=HOLDS, **changes):
        plain = stated(**{"arms": ARMS, "metrics": METRICS, "figures": [], "relations": relations} | changes)
        (tmp_path / "mine" / "claim" / f"{name}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))

    def run(relations=HOLDS, seeds=None, name="tiny", as_json=True, needed=False, after=(), argv=(), **changes):
        state(name, relations, **changes)
        options = Options(Path("outputs"), show="none", quiet=True, extra=(tmp_path / "mine",), argv=argv)
        return verb.main(verb.Chosen((*after, name)), options, Ways(seeds, needed=needed), as_json)

    run.state = state
    return run


def test_a_claim_from_its_words_to_its_verdict(given, capsys):
    assert given() == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "holds"
    assert found == json.loads(Path("outputs/claims/tiny.json").read_text())
    assert [len(found["values"][arm]["accuracy"]) for arm in ARMS] == [5, 5]
    runs = [Run.open(path.parent) for path in Path("outputs/train").glob("*/*/run.json")]
    assert {run.id for run in runs} == {one for several in found["runs"].values() for one in several.values()}
    assert {run.info["name"] for run in runs} == {"tiny"}
    by_id = {run.id: run for run in runs}
    for seed, value in found["values"]["long"]["accuracy"].items():
        assert value == by_id[found["runs"]["long"][seed]].info["metrics"]["test"]["accuracy"]
    assert set(found["machine"]) >= {"processor", "cores", "torch"}
    assert given(FAILS, needed=True, as_json=False) == 6
    assert len(list(Path("outputs/train").glob("*/*/run.json"))) == 10
    assert "does not hold" in capsys.readouterr().out


def test_one_seed_is_undecided_which_is_no_failure(given, capsys):
    assert given(FAILS, seeds="1") == 0
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "undecided"


def test_a_metric_that_no_run_reports_is_undecided(given, capsys):
    relation = {"better": "long", "than": "short"}
    assert given([relation], seeds="2", metrics={"f1": "higher"}) == 0
    part = json.loads(capsys.readouterr().out)[0]["relations"][0]["comparisons"][0]
    assert "no run has a value" in part["note"]


def test_what_cannot_be_built_is_said_before_anything_runs(given):
    arms = ARMS | {"short": {"verb": "train", "recipe": "mlp_digits", "overrides": ["model.hiden=[4]"]}}
    with pytest.raises(UsageError, match="hidden"):
        given(arms=arms)
    arms = ARMS | {"short": {"verb": "train", "recipe": "mlp_digits", "overrides": ["steps=1,2"]}}
    with pytest.raises(UsageError) as error:
        given(arms=arms)
    assert (error.value.code, error.value.fields["got"]) == ("invalid_value", "steps=1,2")
    assert not Path("outputs").exists()


def test_missing_data_name_the_command_that_fetches_them(given, tmp_path, monkeypatch):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path / "nothing"))
    with pytest.raises(Missing) as error:
        given(needs=["mnist"])
    assert error.value.code == "requires"
    assert "dlcli data fetch mnist" in error.value.fields["hint"]
    assert check_data.__doc__


def test_what_waits_is_refused_by_name_and_left_out_of_all(given, tmp_path, capsys):
    with pytest.raises(UsageError, match="waits for the moon"):
        given(waiting="the moon")
    assert "tiny" not in [one.name for one in verb.select(verb.Chosen((), True, "minutes"), (tmp_path / "mine",))]
    assert "left out: tiny waits for the moon" in capsys.readouterr().err


def test_all_leaves_out_what_lacks_data_and_says_how_to_get_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path / "nothing"))
    kept = {one.name for one in verb.select(verb.Chosen((), True), ())}
    said = capsys.readouterr().err.splitlines()
    assert "capsules_pairs" in kept
    for name, data in (("tcn_jsb", "poly-music"), ("tcn_sequential_mnist", "mnist")):
        assert name not in kept
        assert f"left out: {name} needs data that are not here: dlcli data fetch {data}" in said


def test_a_tier_without_a_claim_says_so(capsys):
    assert verb.select(verb.Chosen((), True, "gpu"), ()) == []
    assert capsys.readouterr().err == "no claim of the tier gpu to run\n"


def test_equal_runs_of_one_call_are_made_once(given, capsys):
    relation = [{"better": "again", "than": "short"}]
    arms = {"short": ARMS["short"], "again": ARMS["long"] | {"overrides": ARMS["long"]["overrides"][::-1]}}
    given.state("before")
    given(relation, seeds="2", after=("before",), arms=arms)
    first, second = json.loads(capsys.readouterr().out)
    assert second["runs"] == {"again": first["runs"]["long"], "short": first["runs"]["short"]}
    assert second["values"]["again"] == {"accuracy": first["values"]["long"]["accuracy"]}
    assert len(list(Path("outputs/train").glob("*/*/run.json"))) == 4
    given(relation, seeds="1", arms=arms)
    assert len(list(Path("outputs/train").glob("*/*/run.json"))) == 6


def test_what_is_finished_is_told_whatever_becomes_of_the_rest(given, capsys, monkeypatch):
    given.state("good")
    wrong = ARMS | {"short": {"verb": "train", "recipe": "mlp_digits", "overrides": ["model.hiden=[4]"]}}
    assert given(seeds="1", after=("good",), arms=wrong) == 2
    found = capsys.readouterr()
    assert [one["claim"] for one in json.loads(found.out)] == ["good"]
    assert "tiny: " in found.err
    assert "hidden" in found.err
    monkeypatch.setattr(verb, "_write", broken)
    with pytest.raises(RuntimeError):
        given(seeds="1", name="good")
    assert [one["claim"] for one in json.loads(capsys.readouterr().out)] == ["good"]


def broken(*_):
    raise RuntimeError


def test_what_goes_on_is_the_command_as_it_was_typed(given, capsys, monkeypatch):
    monkeypatch.setattr(verb, "reproduce", lambda *_: Done(None, 130, sweep="abc"))
    typed = ("reproduce", "tiny", "--config-dir", "my conf", "--anew", "--seeds", "6")
    assert given(argv=typed) == 130
    again = "dlcli sweep resume abc && dlcli reproduce tiny --config-dir 'my conf' --seeds 6 --needed"
    assert again in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seeds", "folder"),
    [
        ([*range(5)], "docs/claims"),
        ([*range(7)], "docs/claims"),
        ([*range(10, 15)], "mine/claims"),
        ([0], "mine/claims"),
    ],
)
def test_seeds_that_may_be_chosen_make_no_committed_verdict(tmp_path, monkeypatch, seeds, folder):
    (tmp_path / "dlcli" / "claims" / "catalogue").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    path = tmp_path / "dlcli" / "claims" / "catalogue" / "tiny.yaml"
    path.write_text(yaml.safe_dump(stated()))
    monkeypatch.setattr(results, "repository", lambda: tmp_path)
    claim = stating.read(path)
    found = judged(claim, {("a", "nll"): dict.fromkeys(seeds, 0.0)}, seeds) | {"seconds": 1.0, "machine": {}}
    written = verb._write(claim, found | {"finished": "2026-11-21T10:00:00+00:00"}, Options(tmp_path / "mine"))
    assert written == tmp_path / folder / "tiny.json"


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (verb.Chosen(("tcn_jsbb",)), 'did you mean "tcn_jsb"'),
        (verb.Chosen((), True, "minute"), 'did you mean "minutes"'),
        (verb.Chosen(("tcn_jsb",), True), "without names"),
    ],
)
def test_a_wrong_choice_is_said(chosen, said):
    with pytest.raises(UsageError, match=said):
        verb.select(chosen, ())


def test_pages_are_written_in_a_checkout_alone(given):
    with pytest.raises(UsageError, match="checkout"):
        verb.document()
