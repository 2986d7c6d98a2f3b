"""docs/claims.md and docs/systems.md: made from claims and results, and from nothing else."""

import json
import re

import pytest
import yaml
from stated import stated

from dlcli.claims import claim as stating
from dlcli.claims import pages, results
from dlcli.claims.verdict_record import judge_claim
from dlcli.config import catalogue
from dlcli.report.formatting import number

ROOT = catalogue.packaged_folder().parent
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?")
COMMIT = re.compile(r"(?:commit|and|judged at) [0-9a-f]{10}\b")
GIVEN = {"95"}  # of the page's own words


def made_up(root, values):
    """A checkout with one claim and its result."""
    (root / "dlcli" / "claims" / "catalogue").mkdir(parents=True, exist_ok=True)
    (root / "docs").mkdir(exist_ok=True)
    (root / "dlcli" / "claims" / "catalogue" / "made_up.yaml").write_text(yaml.safe_dump(stated(), sort_keys=False))
    claim = stating.read(root / "dlcli" / "claims" / "catalogue" / "made_up.yaml")
    found = judge_claim(claim, values, [*next(iter(values.values()))])
    machine = {"processor": "a processor", "cores": 2, "torch": "2.13"}
    told = {"seconds": 77.0, "commit": "0123456789abcdef", "dirty": False, "machine": machine}
    results.write(root / "docs" / "claims", found | told | {"finished": "2026-11-21T10:00:00+00:00"})
    return claim


def values(shift=0.0):
    a = {seed: 0.1234 + 0.001 * seed for seed in range(5)}
    return {("a", "nll"): a, ("b", "nll"): {seed: value + 2.5 + shift + 0.002 * seed for seed, value in a.items()}}


def test_claims_page_is_up_to_date():
    assert (ROOT / "docs" / "claims.md").read_text() == pages.pages(ROOT)["claims.md"], "outdated: make docs"


def held(root):
    """Every number of the claims as they are written, and of their results as they are rounded."""
    words = []
    for path in (root / "dlcli" / "claims" / "catalogue").glob("*.yaml"):
        claim = stating.read(path)
        words += [path.stem, path.read_text(), f"{claim.minutes:g}", *(one.text for one in claim.relations)]
        if result := results.latest_result(claim, [root / "docs" / "claims"]):
            words += [*leaves(result), number(100 * result["level"]), pages.duration(result["seconds"])]
    return {one for text in words for one in NUMBER.findall(text)}


def leaves(node):
    if isinstance(node, dict | list):
        return [text for one in (node.values() if isinstance(node, dict) else node) for text in leaves(one)]
    return [number(node) if isinstance(node, float) else str(node)]


def told(root, text=None):
    return set(NUMBER.findall(COMMIT.sub("", text or (root / "docs" / "claims.md").read_text()))) - GIVEN


def test_ours_hold_no_number_that_the_claims_and_results_do_not_hold():
    assert told(ROOT) <= held(ROOT)


def test_a_number_that_nobody_found_is_noticed(tmp_path):
    made_up(tmp_path, values())
    pages.write(tmp_path)
    page = tmp_path / "docs" / "claims.md"
    assert told(tmp_path) <= held(tmp_path)
    page.write_text(page.read_text().replace("0.1254", "0.125"))
    assert told(tmp_path) - held(tmp_path) == {"0.125"}


def test_a_result_is_shown_with_all_that_it_rests_on(tmp_path):
    made_up(tmp_path, values())
    text = pages.pages(tmp_path)["claims.md"]
    for said in (
        "- **holds**",
        "| a | nll | 0.1254 [",
        "a: 0.5",
        "| estimate, 95 % CI |",
        "Seeds 0, 1, 2, 3, 4; total run time ",
        "1 min 17 s",
        "0123456789",
        "dlcli train lstm steps=3",
    ):
        assert said in text


def test_another_result_is_another_page(tmp_path):
    made_up(tmp_path, values())
    assert {path.name for path in pages.write(tmp_path)} == {"claims.md", "systems.md"}
    assert pages.write(tmp_path) == []
    made_up(tmp_path, values(shift=-2.0))
    pages.write(tmp_path)
    assert "- **does not hold**" in (tmp_path / "docs" / "claims.md").read_text()


def test_a_verdict_of_another_definition_is_none(tmp_path):
    claim = made_up(tmp_path, values())
    place = tmp_path / "docs" / "claims"
    assert results.latest_result(claim, [place])["verdict"] == "holds"
    changed = stating.parse("made_up", stated(relations=[{"better": "a", "than": "b", "by": 2.0}]))
    assert results.latest_result(changed, [place]) is None
    assert pages.verdict(changed, None) == "not run yet"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 99}', '{"schema": 1}'])
def test_a_damaged_result_is_none(tmp_path, text):
    (tmp_path / "made_up.json").write_text(text)
    assert results.read(tmp_path / "made_up.json") is None


def test_json_holds_no_nan(tmp_path):
    path = results.write(tmp_path, {"claim": "x", "low": float("nan"), "values": {"a": {0: float("inf")}}})
    assert json.loads(path.read_text()) == {"claim": "x", "low": None, "values": {"a": {"0": None}}}


def test_the_last_of_several_results_counts_if_it_is_over_enough_seeds(tmp_path):
    claim = made_up(tmp_path, values())
    old = json.loads((tmp_path / "docs" / "claims" / "made_up.json").read_text())
    newer = old | {"verdict": "undecided", "finished": "2026-11-21T09:59:59-01:00"}
    places = [tmp_path / "docs" / "claims", tmp_path / "new", tmp_path / "nowhere"]
    results.write(tmp_path / "new", newer)
    assert results.latest_result(claim, places)["verdict"] == "undecided"
    results.write(tmp_path / "new", newer | {"seeds": [0]})
    assert results.latest_result(claim, places)["verdict"] == "holds"
    assert results.latest_result(claim, places[1:])["verdict"] == "undecided"


@pytest.mark.parametrize("odd", [{"verdict": "17"}, {"verdict": 17}, {"finished": "now"}, {"seeds": 5}, {"values": []}])
def test_a_result_that_is_none_of_ours_is_none(tmp_path, odd):
    made_up(tmp_path, values())
    path = tmp_path / "docs" / "claims" / "made_up.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | odd))
    assert results.read(path) is None


def test_runs_of_other_code_are_not_passed_off_as_of_this(tmp_path):
    made_up(tmp_path, values())
    path = tmp_path / "docs" / "claims" / "made_up.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"commits": ["a" * 40, "b" * 40]}))
    assert "commit aaaaaaaaaa and bbbbbbbbbb, judged at 0123456789, " in pages.pages(tmp_path)["claims.md"]
    assert told(tmp_path, pages.pages(tmp_path)["claims.md"]) <= held(tmp_path)
