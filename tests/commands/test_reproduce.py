"""`dlcli reproduce`: verdicts and exit codes of tiny claims."""

import json
from pathlib import Path

import pytest
import yaml
from stated import stated

from dlcli.claims import claim as stating
from dlcli.claims import results
from dlcli.claims.runner import ClaimOutcome, check_data
from dlcli.claims.verdict_record import judge_claim
from dlcli.commands import reproduce as verb
from dlcli.core.errors import Missing, UsageError
from dlcli.engine.options import Options
from dlcli.launch.sweep_runner import LaunchOptions
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
    """A function that writes a claim of the user and runs it in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "claim").mkdir(parents=True)

    def state(name, relations=HOLDS, **changes):
        plain = stated(**{"arms": ARMS, "metrics": METRICS, "figures": [], "relations": relations} | changes)
        (tmp_path / "mine" / "claim" / f"{name}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))

    def run(relations=HOLDS, seeds=None, name="tiny", as_json=True, needed=False, after=(), argv=(), **changes):
        state(name, relations, **changes)
        options = Options(Path("outputs"), show="none", quiet=True, extra=(tmp_path / "mine",), argv=argv)
        return verb.main(verb.ClaimSelection((*after, name)), options, LaunchOptions(seeds, needed=needed), as_json)

    run.state = state
    return run


def test_reproduce_runs_a_claim_to_its_verdict(given, capsys):
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


def test_reproduce_with_one_seed_is_undecided(given, capsys):
    assert given(FAILS, seeds="1") == 0
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "undecided"


def test_reproduce_without_metric_is_undecided(given, capsys):
    relation = {"better": "long", "than": "short"}
    assert given([relation], seeds="2", metrics={"f1": "higher"}) == 0
    part = json.loads(capsys.readouterr().out)[0]["relations"][0]["comparisons"][0]
    assert "no run has a value" in part["note"]


def test_reproduce_rejects_invalid_arms_before_any_run(given):
    arms = ARMS | {"short": {"verb": "train", "recipe": "mlp_digits", "overrides": ["model.hiden=[4]"]}}
    with pytest.raises(UsageError, match="hidden"):
        given(arms=arms)
    arms = ARMS | {"short": {"verb": "train", "recipe": "mlp_digits", "overrides": ["steps=1,2"]}}
    with pytest.raises(UsageError) as error:
        given(arms=arms)
    assert (error.value.code, error.value.fields["got"]) == ("invalid_value", "steps=1,2")
    assert not Path("outputs").exists()


def test_reproduce_names_the_fetch_command_of_missing_data(given, tmp_path, monkeypatch):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path / "nothing"))
    with pytest.raises(Missing) as error:
        given(needs=["mnist"])
    assert error.value.code == "requires"
    assert "dlcli data fetch mnist" in error.value.fields["hint"]
    assert check_data.__doc__


def test_reproduce_rejects_unavailable_claims(given, tmp_path, capsys):
    with pytest.raises(UsageError) as error:
        given(waiting="the moon")
    assert (error.value.code, error.value.fields["requirement"]) == ("unavailable_claim", "the moon")
    assert "tiny" not in [
        one.name for one in verb.select(verb.ClaimSelection((), True, "minutes"), (tmp_path / "mine",))
    ]
    assert "skipped: tiny requires the moon" in capsys.readouterr().err


def test_reproduce_all_skips_claims_without_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DLCLI_DATA", str(tmp_path / "nothing"))
    kept = {one.name for one in verb.select(verb.ClaimSelection((), True), ())}
    messages = capsys.readouterr().err.splitlines()
    assert "capsules_pairs" in kept
    for name, data in (("tcn_jsb", "poly-music"), ("tcn_sequential_mnist", "mnist")):
        assert name not in kept
        assert f"skipped: {name} requires data that are not downloaded: dlcli data fetch {data}" in messages


def test_reproduce_all_reports_an_empty_tier(capsys):
    assert verb.select(verb.ClaimSelection((), True, "gpu"), ()) == []
    assert capsys.readouterr().err == "no claims to run in tier gpu\n"


def test_reproduce_shares_identical_runs(given, capsys):
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


def test_reproduce_prints_completed_claims_despite_errors(given, capsys, monkeypatch):
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


def test_reproduce_prints_the_resume_command(given, capsys, monkeypatch):
    monkeypatch.setattr(verb, "reproduce", lambda *_: ClaimOutcome(None, 130, sweep="abc"))
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
def test_reproduce_commits_only_the_claims_own_seeds(tmp_path, monkeypatch, seeds, folder):
    (tmp_path / "dlcli" / "claims" / "catalogue").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    path = tmp_path / "dlcli" / "claims" / "catalogue" / "tiny.yaml"
    path.write_text(yaml.safe_dump(stated()))
    monkeypatch.setattr(results, "repository", lambda: tmp_path)
    claim = stating.read(path)
    found = judge_claim(claim, {("a", "nll"): dict.fromkeys(seeds, 0.0)}, seeds) | {"seconds": 1.0, "machine": {}}
    written = verb._write(claim, found | {"finished": "2026-11-21T10:00:00+00:00"}, Options(tmp_path / "mine"))
    assert written == tmp_path / folder / "tiny.json"


@pytest.mark.parametrize(
    ("chosen", "fragment"),
    [
        (verb.ClaimSelection(("tcn_jsbb",)), 'did you mean "tcn_jsb"'),
        (verb.ClaimSelection((), True, "minute"), 'did you mean "minutes"'),
        (verb.ClaimSelection(("tcn_jsb",), True), "--all and names"),
    ],
)
def test_select_rejects_invalid_choices(chosen, fragment):
    with pytest.raises(UsageError, match=fragment):
        verb.select(chosen, ())


def test_document_requires_a_checkout(given):
    with pytest.raises(UsageError) as error:
        verb.write_pages()
    assert (error.value.code, error.value.fields["key"]) == ("requires", "--docs")
