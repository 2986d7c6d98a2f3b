"""Verdicts on made-up results: hand-computed intervals, and everything that leaves a claim undecided."""

import math

import numpy as np
import pytest
from stated import claim

from dlcli.claims.verdict_record import judge_claim
from dlcli.claims.verdicts import judge, level_of, overall

SEEDS = range(5)
LOW = {0: 1.0, 1: 1.1, 2: 0.9, 3: 1.0, 4: 1.0}
HIGH = {seed: value + 2 + 0.1 * (seed % 2) for seed, value in LOW.items()}


def verdict(relation, a, b, metric="nll", seeds=SEEDS):
    made = claim(relation)
    values = {("a", metric): a, ("b", metric): b}
    (one,) = made.relations[0].comparisons
    return judge(one, values, list(seeds), level_of(made.relations))


def test_the_interval_is_students_of_the_differences_by_seed():
    found = verdict({"better": "a", "than": "b", "by": 1.0}, LOW, HIGH)
    differences = np.array([HIGH[seed] - LOW[seed] for seed in SEEDS])
    half = 2.7764451051977934 * differences.std(ddof=1) / math.sqrt(5)
    assert found.verdict == "holds"
    assert (found.low, found.high) == pytest.approx((differences.mean() - half, differences.mean() + half))


@pytest.mark.parametrize(("by", "expected"), [(1.0, "holds"), (2.04, "undecided"), (3.0, "does not hold")])
def test_the_whole_interval_must_lie_on_one_side_of_the_margin(by, expected):
    assert verdict({"better": "a", "than": "b", "by": by}, LOW, HIGH).verdict == expected


def test_direction_turns_the_difference():
    assert verdict({"better": "a", "than": "b"}, LOW, HIGH).verdict == "holds"
    higher = {"better": "a", "than": "b", "metric": "accuracy"}
    assert verdict(higher, LOW, HIGH, "accuracy").verdict == "does not hold"
    assert verdict(higher, HIGH, LOW, "accuracy").verdict == "holds"


def test_a_ratio_is_compared_on_the_log_scale():
    a = {seed: 10.0 ** -(4 + seed % 3) for seed in SEEDS}
    b = dict.fromkeys(SEEDS, 0.1)
    found = verdict({"better": "a", "than": "b", "by_factor": 10.0}, a, b)
    logs = [math.log(b[seed] / a[seed]) for seed in SEEDS]
    assert found.verdict == "holds"
    assert found.estimate == pytest.approx(math.exp(np.mean(logs)))
    assert verdict({"better": "a", "than": "b", "by_factor": 1e9}, a, b).verdict == "does not hold"
    assert "positive values" in verdict({"better": "a", "than": "b", "by_factor": 2.0}, a, b | {2: 0.0}).note


def test_a_negative_margin_asks_for_no_worse():
    worse = {seed: value + 0.05 + 0.001 * seed for seed, value in LOW.items()}
    assert verdict({"better": "a", "than": "b", "by": -0.2}, worse, LOW).verdict == "holds"
    assert verdict({"better": "a", "than": "b"}, worse, LOW).verdict == "does not hold"


def test_a_level_is_reached_by_the_whole_interval():
    assert verdict({"arm": "a", "reaches": 1.2}, LOW, {}).verdict == "holds"
    assert verdict({"arm": "a", "reaches": 1.0}, LOW, {}).verdict == "undecided"
    assert verdict({"arm": "a", "reaches": 0.5}, LOW, {}).verdict == "does not hold"


def test_a_slope_within_bounds():
    a = {seed: -0.5 + 0.01 * (seed - 2) for seed in SEEDS}
    for bounds, expected in (([-0.6, -0.4], "holds"), ([-0.5, -0.4], "undecided"), ([0.1, 0.2], "does not hold")):
        assert verdict({"slope": "nll", "within": bounds, "arm": "a"}, a, {}).verdict == expected


@pytest.mark.parametrize(
    ("a", "note"),
    [
        ({}, "no run has a value"),
        (dict.fromkeys(SEEDS), "no run has a value"),
        (LOW | {3: None}, "seeds 3 have no value"),
        (LOW | {3: math.nan}, "seeds 3 are not finite"),
        (LOW | {3: math.inf}, "seeds 3 are not finite"),
    ],
)
def test_missing_arms_runs_and_nan_leave_it_undecided(a, note):
    found = verdict({"better": "a", "than": "b"}, a, HIGH)
    assert found.verdict == "undecided"
    assert note in found.note


@pytest.mark.parametrize("count", [1, 4])
def test_below_five_seeds_nothing_is_decided(count):
    found = verdict({"better": "a", "than": "b", "by": 1.0}, LOW, HIGH, seeds=range(count))
    assert found.verdict == "undecided"
    assert f"got {count}" in found.note


def test_no_spread_decides_and_is_said():
    flat = dict.fromkeys(SEEDS, 7.0)
    found = verdict({"arm": "a", "reaches": 10.0}, flat, {})
    assert found.verdict == "holds"
    assert "spread" in found.note
    assert verdict({"better": "a", "than": "b"}, flat, flat).verdict == "does not hold"


def test_the_relations_of_a_claim_share_alpha():
    one, three = {"better": "a", "than": "b"}, {"order": ["a", "b", "c"]}
    assert level_of(claim(one).relations) == 0.95
    assert level_of(claim(one, three).relations) == pytest.approx(1 - 0.05 / 3)


def test_chance_alone_passes_at_most_as_often_as_alpha_allows():
    draw, made = np.random.default_rng(0), claim({"better": "a", "than": "b"})
    (one,) = made.relations[0].comparisons
    wrong = 0
    for _ in range(2000):
        a, b = (dict(enumerate(draw.normal(size=5).tolist())) for _ in range(2))
        values = {("a", "nll"): a, ("b", "nll"): b}
        wrong += judge(one, values, list(SEEDS), 0.95).verdict != "undecided"
    assert 0.035 < wrong / 2000 < 0.065


def test_all_relations_must_hold():
    assert overall(["holds", "holds"]) == "holds"
    assert overall(["holds", "undecided"]) == "undecided"
    assert overall(["undecided", "does not hold", "holds"]) == "does not hold"
    assert overall([]) == "undecided"


def test_an_order_fails_with_its_first_wrong_pair():
    made = claim({"order": ["a", "b", "c"]})
    values = {("a", "nll"): LOW, ("b", "nll"): HIGH, ("c", "nll"): {seed: 0.5 + 0.01 * seed for seed in SEEDS}}
    found = judge_claim(made, values, list(SEEDS))
    assert found["verdict"] == "does not hold"
    assert [one["verdict"] for one in found["relations"][0]["comparisons"]] == ["holds", "does not hold"]
