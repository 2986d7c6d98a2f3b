"""Groups against a baseline."""

import json
import math

import pytest
from made_runs import make_groups, make_run

from dlcli.core.errors import UsageError
from dlcli.report.comparison.comparison import ComparisonOptions, compare
from dlcli.report.statistics.hypothesis_tests import compare_arms, power_statement
from dlcli.runs import selectors

THREE = {"tcn": [0.90, 0.91, 0.93], "gru": [0.80, 0.83, 0.82], "lstm": [0.70, 0.75, 0.71]}
EIGHT = {
    name: [start + 0.003 * seed + 0.01 * (seed % 3 == bend) for seed in range(8)]
    for name, start, bend in (("a", 0.9, 0), ("b", 0.6, 1))
}


def asked(out, **question):
    return compare(selectors.scan(out), ComparisonOptions(**question))


def names(found):
    return [(pair.a, pair.b) for _, pair in found.pairs]


def test_the_best_is_the_baseline_and_p_is_corrected_over_all_pairs(tmp_path):
    make_groups(tmp_path, THREE)
    found = asked(tmp_path)
    arms = {name: dict(enumerate(values)) for name, values in THREE.items()}
    wanted = compare_arms(arms, "tcn", picked=True)
    assert names(found) == [("gru", "tcn"), ("lstm", "tcn")]
    assert [pair.p_holm for _, pair in found.pairs] == [pair.p_holm for pair in wanted]
    assert all(pair.paired and pair.n == 3 for _, pair in found.pairs)
    assert power_statement(3, 3, True) in found.sentence


def test_a_baseline_of_ones_own_makes_a_smaller_family(tmp_path):
    make_groups(tmp_path, THREE)
    found = asked(tmp_path, baseline="gru")
    assert names(found) == [("tcn", "gru"), ("lstm", "gru")]
    assert [pair.p_holm for _, pair in found.pairs] == [0.5, 0.5]
    assert power_statement(3, 3, False) in found.sentence


def test_all_pairs(tmp_path):
    make_groups(tmp_path, THREE)
    assert len(asked(tmp_path, all_pairs=True, baseline="gru").pairs) == 3


def test_a_metric_that_should_be_small_has_the_smallest_as_baseline_and_is_better_below(tmp_path):
    make_groups(tmp_path, EIGHT, metric="nll")
    found = asked(tmp_path, baseline="a")
    assert [found.verdict(pair) for _, pair in found.pairs] == ["better"]
    assert "b significantly better" in found.sentence
    assert [pair.b for _, pair in asked(tmp_path).pairs] == ["b"]


def test_eight_seeds_show_a_difference_and_three_do_not(tmp_path):
    make_groups(tmp_path, EIGHT)
    found = asked(tmp_path)
    assert [found.verdict(pair) for _, pair in found.pairs] == ["worse"]
    assert found.sentence.startswith(
        "Compared with a (best mean): b significantly worse (alpha = 0.05, Holm-corrected)."
    )
    few = compare([run for run in selectors.scan(tmp_path) if run.info["seed"] < 3], ComparisonOptions())
    assert [few.verdict(pair) for _, pair in few.pairs] == ["open"]
    assert few.sentence == (
        "No significant difference from a (best mean) at alpha = 0.05 (Holm-corrected). " + power_statement(3, 2, True)
    )


def test_runs_of_different_tasks_are_never_paired(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8], "gru": [0.7, 0.6]}, task="digits")
    make_groups(tmp_path, {"tcn": [0.1, 0.2], "lstm": [0.3, 0.4]}, task="adding")
    found = asked(tmp_path, all_pairs=True)
    assert [(task, pair.a, pair.b) for task, pair in found.pairs] == [
        ("adding", "tcn on adding", "lstm"),
        ("digits", "gru", "tcn on digits"),
    ]
    assert found.sentence.splitlines()[0].startswith("adding: ")


def test_one_task_with_other_data_is_another_task(tmp_path):
    for length in (100, 200):
        for model in ("tcn", "gru"):
            make_groups(tmp_path, {model: [0.5, 0.6]}, keys={"task.length": length})
    found = asked(tmp_path, all_pairs=True)
    assert sorted(task for task, _ in found.pairs) == ["digits length=100", "digits length=200"]


@pytest.mark.parametrize("key", ["task.batch", "task.context", "task.train"])
def test_how_a_task_is_trained_on_makes_no_other_task(tmp_path, key):
    for value in (16, 64):
        make_groups(tmp_path, {"tcn": [0.5, 0.6]}, keys={key: value})
    assert len(asked(tmp_path).pairs) == 1


def test_seeds_that_do_not_match_are_compared_unpaired(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8, 0.85]})
    for seed in (10, 11, 12):
        make_run(tmp_path, "gru", seed, 0.5 + seed / 100)
    found = asked(tmp_path)
    assert [pair.paired for _, pair in found.pairs] == [False]
    assert "3 seeds per group" in found.sentence


def test_a_diverged_seed_changes_no_pairing_and_is_counted(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8, 0.85], "gru": [0.5, 0.6]})
    make_run(tmp_path, "gru", 2, info={"status": "diverged", "metrics": {}})
    ((_, pair),) = asked(tmp_path).pairs
    assert (pair.paired, pair.n, pair.excluded, pair.unmatched) == (True, 2, 1, 1)


def test_one_seed_is_not_tested_and_says_so(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9], "gru": [0.5]})
    found = asked(tmp_path)
    ((_, pair),) = found.pairs
    assert (pair.p, pair.low, found.verdict(pair)) == (None, None, "untested")
    assert "With 1 seed per group " in found.sentence


@pytest.mark.parametrize("count", [0, 1])
def test_one_group_and_none_have_no_pairs_and_no_sentence(tmp_path, count):
    make_groups(tmp_path, {"tcn": [0.9] * count})
    found = asked(tmp_path)
    assert (found.pairs, found.sentence, len(found.groups)) == ([], "", count)


def test_a_baseline_is_a_group_or_the_only_one_of_a_model(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8]})
    for hidden in (1, 2):
        make_groups(tmp_path, {"gru": [0.5, 0.6]}, keys={"model.hidden": hidden})
    assert {pair.b for _, pair in asked(tmp_path, baseline="tcn").pairs} == {"tcn"}
    assert {pair.b for _, pair in asked(tmp_path, baseline="gru hidden=1").pairs} == {"gru hidden=1"}
    with pytest.raises(UsageError) as ambiguous:
        asked(tmp_path, baseline="gru")
    assert (ambiguous.value.code, ambiguous.value.fields["count"]) == ("ambiguous", 2)
    assert {"'gru hidden=1'", "'gru hidden=2'"} == set(ambiguous.value.fields["matches"].split(", "))
    with pytest.raises(UsageError) as unknown:
        asked(tmp_path, baseline="tnc")
    assert (unknown.value.code, unknown.value.fields["name"]) == ("unknown_name", "tnc")
    assert "tcn" in unknown.value.fields["known"]


def test_a_task_without_the_baseline_takes_its_best_and_says_so(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8], "gru": [0.7, 0.6]})
    make_groups(tmp_path, {"lstm": [0.1, 0.2], "sru": [0.3, 0.4]}, task="adding")
    found = asked(tmp_path, baseline="gru")
    assert {task: pair.b for task, pair in found.pairs} == {"digits": "gru", "adding": "sru"}
    assert "adding has no group 'gru': its best group, 'sru', is the baseline" in found.notes


def test_mixed_signatures_of_a_recipe_are_said_with_the_keys_that_differ(tmp_path):
    for hidden in (8, 16):
        make_run(tmp_path, keys={"model.hidden": hidden, "until.steps": hidden})
    (note,) = asked(tmp_path).notes
    assert note == "tcn: 2 experiments, not averaged: they differ in model.hidden, until.steps"


def test_many_groups_are_corrected_by_bonferroni_over_all_pairs(tmp_path):
    make_groups(
        tmp_path, {f"m{number:02d}": [number / 100 + seed**2 / 1000 for seed in range(12)] for number in range(30)}
    )
    found = asked(tmp_path)
    assert len(found.pairs) == 29
    factor = 30 * 29 / 2
    assert all(pair.p_holm == min(1, pair.p * factor) for _, pair in found.pairs)


def test_equal_cost_is_what_the_shortest_of_a_task_spent(tmp_path):
    make_run(tmp_path, "long", curve={10: 0.1, 20: 0.3, 30: 0.2, 40: 0.9})
    make_run(tmp_path, "short", value=0.5, curve={10: 0.2, 30: 0.5})
    found = {row.name: row.cost for row in asked(tmp_path, x="samples").groups}
    assert found["long"] == {"counter": "samples", "total": 40 * 32, "equal": 30 * 32, "value": 0.3}
    assert found["short"] == {"counter": "samples", "total": 30 * 32, "equal": 30 * 32, "value": 0.5}
    with pytest.raises(UsageError) as error:
        asked(tmp_path, x="sample")
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "sample")
    assert {"steps", "samples"} <= error.value.fields["known"]


def test_the_answer_as_json_is_what_it_was(tmp_path):
    """Golden: scripts read these keys and numbers."""
    make_run(tmp_path, "tcn", 0, 0.75, identity="aaaaaa")
    make_run(tmp_path, "tcn", 1, 0.25, identity="bbbbbb")
    make_run(tmp_path, "gru", 0, 0.5, identity="cccccc")
    make_run(tmp_path, "gru", 1, 0.125, identity="dddddd")
    make_run(tmp_path, "gru", 2, identity="eeeeee", info={"status": "failed", "reason": "no disk", "metrics": {}})
    plain = json.loads(json.dumps(asked(tmp_path).plain(), allow_nan=False))
    assert list(plain) == ["groups", "pairs", "sentence", "left_out"]
    first, second = plain["groups"]
    half = 12.706204736174705 * 0.25
    assert first == {
        "name": "tcn", "task": "digits", "model": "tcn", "metric": "test accuracy", "direction": "max", "n": 2,
        "mean": 0.5, "low": pytest.approx(0.5 - half), "high": pytest.approx(0.5 + half), "baseline": None,
        "interval": "t", "degenerate": False, "std": pytest.approx(0.125**0.5), "best": 0.5, "best_step": 100,
        "last": pytest.approx(0.475), "last_step": 100, "parameters": 1000, "seconds": 10.0, "steps": 100,
        "signature": "digits tcn []", "experiment": "digits tcn []", "yardstick": "digits",
        "keys": {}, "seeds": [0, 1], "values": [0.75, 0.25],
        "runs": ["aaaaaa", "bbbbbb"], "cost": {}, "note": "",
    }  # fmt: skip
    assert (second["name"], second["n"], second["seeds"], second["values"]) == ("gru", 2, [0, 1, 2], [0.5, 0.125, None])
    half = 12.706204736174705 * 0.0625
    assert plain["pairs"] == [{
        "task": "digits", "a": "gru", "b": "tcn", "n": 2, "paired": True, "difference": -0.1875,
        "low": pytest.approx(-0.1875 - half), "high": pytest.approx(-0.1875 + half), "p": 0.5, "p_holm": 0.5,
        "effect": pytest.approx(-0.1875 / 0.08838834764831845), "effect_name": "Cohen's d_z",
        "test": "sign-flip, exact", "degenerate": False, "excluded": 1, "unmatched": 0, "note": "", "verdict": "open",
    }]  # fmt: skip
    (left,) = plain["left_out"]
    assert left.pop("path").endswith("stamp_eeeeee")
    assert left == {"id": "eeeeee", "name": None, "seed": 2, "status": "failed", "reason": "failed: no disk"}
    assert plain["sentence"] == (
        "No significant difference from tcn (best mean) at alpha = 0.05 (Holm-corrected). "
        "With 2 paired seeds the smallest attainable p is 0.5; "
        "at least 6 seeds are needed to reach 0.05 in one comparison."
    )


def test_pairs_are_of_one_metric_and_direction(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8], "gru": [0.7, 0.6]})
    make_groups(tmp_path, {"lstm": [0.9, 0.8], "sru": [0.3, 0.4]}, metric="nll")
    make_groups(tmp_path, {"elman": [0.5, 0.4]}, direction="min")
    found = asked(tmp_path, all_pairs=True)
    assert sorted(names(found)) == [("gru", "tcn"), ("lstm", "sru")]
    assert {row.yardstick for row in found.groups} == {
        "digits by test accuracy (max)", "digits by test nll (min)", "digits by test accuracy (min)"
    }  # fmt: skip


def test_the_baseline_can_be_tested_and_has_most_of_its_seeds(tmp_path):
    few = [0.99, *[math.nan] * 7]
    make_groups(tmp_path, {"tcn": few, "sru": [0.98, 0.97, *few[2:]], "gru": EIGHT["a"], "elman": EIGHT["b"]})
    found = asked(tmp_path)
    assert {pair.b for _, pair in found.pairs} == {"gru"}
    assert "gru (best mean; skipped: tcn with 1 of 8 seeds, sru with 2 of 8 seeds)" in found.sentence
    assert {pair.b for _, pair in asked(tmp_path, baseline="tcn").pairs} == {"tcn"}


def test_where_no_group_has_most_of_its_seeds_one_that_can_be_tested_is_the_baseline(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, *[math.nan] * 4], "gru": [0.8, 0.7, *[math.nan] * 3]})
    assert {pair.b for _, pair in asked(tmp_path).pairs} == {"gru"}


def test_the_sentence_is_about_the_pairs_that_were_tested(tmp_path):
    make_groups(tmp_path, {"tcn": EIGHT["a"], "gru": EIGHT["b"], "elman": [0.1, 0.2], "lstm": [0.1]})
    said = asked(tmp_path).sentence
    assert "With 2 paired seeds the smallest attainable p is 0.5, with 8 paired seeds 0.0078;" in said
    assert "Corrected for 6 comparisons, the smallest attainable p is 0.047." in said


def test_seeds_that_match_in_part_are_not_paired_and_that_is_said(tmp_path):
    for seed in range(8):
        make_run(tmp_path, "tcn", seed, 0.9 + seed / 100)
        make_run(tmp_path, "gru", seed + 1, 0.5 + seed / 90)
    found = asked(tmp_path)
    ((_, pair),) = found.pairs
    assert (pair.paired, pair.note) == (False, "7 of 8 seeds shared: not paired")
    assert "7 of 8 seeds shared: not paired: gru and tcn" in found.notes


def test_groups_that_do_not_count_what_is_asked_for_are_named(tmp_path):
    make_groups(tmp_path, {"tcn": [0.9, 0.8]})
    make_groups(tmp_path, {"gru": [0.7, 0.6]}, info={"counters": {"env_steps": 5}})
    assert "--x env_steps: not reported by tcn" in asked(tmp_path, x="env_steps").notes


def test_when_no_run_counts_that_is_an_error_with_the_reasons(tmp_path):
    for seed in range(5):
        make_run(tmp_path, seed=seed, info={"signature": None})
    with pytest.raises(UsageError) as error:
        asked(tmp_path)
    assert (error.value.code, error.value.fields["count"]) == ("not_comparable", 5)
    reasons = error.value.fields["hint"].splitlines()
    assert [line.endswith("run.json has no signature") for line in reasons] == [True, True, True, False]


@pytest.mark.parametrize("spread", ["same", "wide"])
def test_values_near_the_largest_float_are_compared(tmp_path, spread):
    least = -1.7e308 if spread == "wide" else 1.6e308
    for model, seeds in (("tcn", (0, 1, 2)), ("gru", (3, 4, 5))):
        for seed in seeds:
            value = 1.7e308 if seed % 3 else least
            make_run(
                tmp_path, model, seed, value, curve={10: value, 20: value}, info={"best": {"step": 10, "value": value}}
            )
    found = asked(tmp_path, x="samples")
    json.dumps(found.plain(), allow_nan=False)
    if spread == "same":
        assert found.groups[0].best == pytest.approx(1.6e308 / 3 + 2 * (1.7e308 / 3))
