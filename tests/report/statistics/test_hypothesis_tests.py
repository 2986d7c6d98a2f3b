"""Statistics against SciPy, published worked examples, brute force and simulation."""

import itertools
import json
import math
import statistics
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dlcli.core.errors import UsageError
from dlcli.report.statistics.hypothesis_tests import (
    band,
    compare_arms,
    compare_pair,
    holm,
    interval,
    paired,
    power_statement,
    seeds_needed,
    smallest_p,
    unpaired,
)
from dlcli.report.statistics.intervals import _quantile
from dlcli.report.statistics.permutation import permutation_test, sign_flip_test

MAIZE = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Darwin's crossed minus self-fertilised maize, in eighths of an inch: Fisher 1935, The Design of Experiments, 17."""

SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
"""Student 1908, The probable error of a mean, Biometrika 6: hours of sleep gained; as R's `sleep`."""


def arm(values, first=0):
    return dict(enumerate(map(float, values), first))


def apart(a, b):
    return unpaired(arm(a), arm(b, 100))


def from_zero(differences):
    return paired(arm(differences), arm([0] * len(differences)))


def test_the_interval_of_few_values_is_scipys_t_interval():
    values = [0.91, 0.94, 0.93, 0.97, 0.9]
    found = interval(values)
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-12)
    assert (found.mean, found.n, found.kind, found.degenerate) == (pytest.approx(0.93), 5, "t", False)
    assert interval(values, level=0.9).high == pytest.approx(stats.t.interval(0.9, 4, 0.93, stats.sem(values))[1])


def test_bca_takes_over_from_twenty_values_and_is_scipys():
    values = np.random.default_rng(3).lognormal(size=20)
    found = interval(values)
    expected = stats.bootstrap((values,), np.mean, n_resamples=9_999, random_state=np.random.default_rng(0))
    assert found.kind == "bca"
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval), rel=1e-9)
    assert found == interval(values), "the same values, the same interval"
    assert interval(values[:19]).kind == "t"
    assert interval(values[:5], kind="bca").kind == "bca"
    assert interval(values, kind="t").kind == "t"


def test_fisher_finds_darwins_difference_between_003_and_4184_eighths():
    found = from_zero(MAIZE)
    assert found.difference == pytest.approx(20.933, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((0.03, 41.84), abs=0.01)
    assert found.effect * math.sqrt(15) == pytest.approx(2.148, abs=5e-4), "d_z is Fisher's t over the root of n"
    assert found.effect_name == "Cohen's d_z"


def test_fisher_counts_1726_of_32768_sign_patterns_in_darwins_maize():
    found = from_zero(MAIZE)
    assert found.p == 2 * 863 / 32_768
    assert (found.n, found.paired, found.test) == (15, True, "sign-flip, exact")


def test_students_sleep_paired():
    found = paired(arm(SLEEP[0]), arm(SLEEP[1]))
    assert (found.difference, found.low, found.high) == pytest.approx((-1.58, -2.4598858, -0.7001142), abs=5e-8)
    assert found.effect * math.sqrt(10) == pytest.approx(-4.0621, abs=5e-5)


def test_students_sleep_unpaired_is_welchs():
    found = apart(*SLEEP)
    assert (found.difference, found.low, found.high) == pytest.approx((-1.58, -3.3654832, 0.2054832), abs=5e-8)
    assert (found.n, found.paired) == (10, False)


def test_the_lady_tasting_tea():
    """Fisher 1935, chapter 2: all eight cups right is one split of 70; two-sided, two."""
    found = apart([1, 1, 1, 1], [0, 0, 0, 0])
    assert found.p == pytest.approx(2 / 70)
    assert found.test == "permutation, exact"
    assert apart([1, 1, 1, 0], [0, 0, 0, 1]).p == pytest.approx(2 * 17 / 70), "three of four right: 17 of 70"


def test_hedges_g_of_the_textbook():
    """Borenstein, Hedges, Higgins & Rothstein 2009, Introduction to Meta-Analysis, chapter 4: d 0.5970, g 0.5924."""
    z = np.random.default_rng(0).normal(size=50)
    z = (z - z.mean()) / z.std(ddof=1)
    found = apart(103 + 5.5 * z, 100 + 4.5 * z)
    assert found.effect == pytest.approx(0.5924, abs=5e-5)
    assert found.effect_name == "Hedges' g"


def test_hedges_correction_makes_the_effect_unbiased():
    rng = np.random.default_rng(0)
    found = [apart(rng.normal(1.0, 1, 3), rng.normal(0, 1, 3)).effect for _ in range(300)]
    slack = 3 * statistics.stdev(found) / math.sqrt(len(found))
    assert statistics.mean(found) == pytest.approx(1.0, abs=slack)
    assert slack < 0.25, "d itself is off by a quarter: 1 / J(4) = 1.25"


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_sign_flip_p_by_brute_force(n):
    rng = np.random.default_rng(n)
    for _ in range(5):
        d = rng.normal(size=n)
        sums = [abs(np.dot(signs, d)) for signs in itertools.product((-1, 1), repeat=n)]
        expected = np.mean([total >= abs(d.sum()) - 1e-12 for total in sums])
        assert sign_flip_test(list(d)).p == expected


@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 5), (4, 3), (5, 5)])
def test_split_p_by_brute_force_and_scipy(m, n):
    rng = np.random.default_rng(m * n)
    a, b = rng.normal(size=m), rng.normal(size=n)
    pooled = np.concatenate((a, b))
    observed, null = a.mean() - b.mean(), []
    for places in itertools.combinations(range(m + n), m):
        null.append(pooled[list(places)].mean() - np.delete(pooled, places).mean())
    tails = np.mean(np.array(null) >= observed - 1e-12), np.mean(np.array(null) <= observed + 1e-12)
    assert permutation_test(list(a), list(b)).p == pytest.approx(min(1, 2 * min(tails)), abs=1e-15)
    theirs = stats.permutation_test((a, b), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf)
    assert permutation_test(list(a), list(b)).p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_ties_of_rounded_scores_are_kept():
    """Accuracies on 300 samples tie as counts do; SciPy's own test loses half of these."""
    rng, lost = np.random.default_rng(0), 0
    for _ in range(20):
        a, b = rng.integers(285, 297, 5), rng.integers(285, 297, 5)
        assert apart(a / 300, b / 300).p == pytest.approx(apart(a, b).p, abs=1e-15)
        assert paired(arm(a / 300), arm(b / 300)).p == paired(arm(a), arm(b)).p
        theirs = stats.permutation_test(
            (a / 300, b / 300), lambda x, y, axis: x.mean(axis) - y.mean(axis), n_resamples=np.inf, vectorized=True
        )
        lost += abs(theirs.pvalue - apart(a, b).p) > 1e-9
    assert lost > 0, "SciPy keeps ties now: use its p"


@pytest.mark.parametrize("n", [2, 5, 8])
def test_no_level_is_exceeded_over_all_sign_patterns(n):
    """Exact: given the sizes of the differences, p <= level in at most that share of patterns."""
    sizes = np.random.default_rng(n).lognormal(size=n)
    ps = np.array([sign_flip_test(list(sizes * signs)).p for signs in itertools.product((-1, 1), repeat=n)])
    assert all(np.mean(ps <= level) <= level for level in np.unique(ps))
    assert ps.min() == smallest_p(n)


@pytest.mark.parametrize(("m", "n"), [(3, 3), (2, 6), (4, 4)])
def test_no_level_is_exceeded_over_all_splits(m, n):
    pooled = np.random.default_rng(n).lognormal(size=m + n)
    ps = []
    for places in itertools.combinations(range(m + n), m):
        ps.append(permutation_test(list(pooled[list(places)]), list(np.delete(pooled, places))).p)
    assert all(np.mean(np.array(ps) <= level) <= level for level in np.unique(ps))
    assert min(ps) == pytest.approx(2 / math.comb(m + n, m))


def rejections(trials, n, seed=0):
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(trials):
        luck = rng.normal(size=n)
        hits += compare_pair(arm(luck + rng.standard_t(3, n)), arm(luck + rng.standard_t(3, n))).p <= 0.05
    return hits / trials


def test_the_default_test_finds_nothing_where_nothing_is():
    """12 of 256 patterns lie at 0.05 or below with 8 seeds; three binomial standard errors either way."""
    size, trials = 12 / 256, 600
    assert abs(rejections(trials, 8) - size) <= 3 * math.sqrt(size * (1 - size) / trials)
    assert rejections(200, 5) == 0, "five seeds cannot reach 0.05"


@pytest.mark.slow
def test_type_one_error_at_length():
    for n, size in ((6, 2 / 64), (8, 12 / 256), (10, 50 / 1_024)):
        slack = 3 * math.sqrt(size * (1 - size) / 8_000)
        rate = rejections(8_000, n, seed=n)
        assert abs(rate - size) <= slack
        assert rate <= 0.05 + slack


def covered(n, trials, **options):
    rng = np.random.default_rng(n)
    found = (interval(rng.normal(7, 3, n), **options) for _ in range(trials))
    return np.mean([each.low <= 7 <= each.high for each in found])


@pytest.mark.parametrize("n", [5, 10])
def test_the_default_interval_covers_93_to_97_percent(n):
    assert 0.93 <= covered(n, 2_000) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 10, 19])
def test_coverage_at_length(n):
    assert abs(covered(n, 50_000) - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / 50_000)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least", "most"), [(5, 0.79, 0.87), (10, 0.86, 0.92), (20, 0.90, 0.96)])
def test_bca_covers_what_the_docs_say(n, least, most):
    assert least <= covered(n, 1_000, kind="bca") <= most


def test_holm_of_published_examples():
    """pingouin's documentation of holm; the four of Wikipedia's Holm-Bonferroni method, of which two are rejected."""
    assert holm([0.50, 0.003, 0.32, 0.054, 0.0003]) == pytest.approx([0.64, 0.012, 0.64, 0.162, 0.0015])
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_rejects_three_of_benjamini_and_hochbergs_fifteen():
    """Benjamini & Hochberg 1995, JRSS B 57, section 3.2: family-wise methods reject three, theirs four."""
    ps = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759]
    assert [p <= 0.05 for p in holm([*ps, 1.0])] == [True] * 3 + [False] * 12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
@settings(deadline=None)
def test_holm_is_the_closed_test_with_bonferroni(ps):
    """The definition: the worst Bonferroni p of the subsets that hold the hypothesis."""
    places = range(len(ps))
    subsets = [s for size in range(1, len(ps) + 1) for s in itertools.combinations(places, size)]
    worst = [max(min(1, len(s) * min(ps[i] for i in s)) for s in subsets if place in s) for place in places]
    assert holm(ps) == pytest.approx(worst)


def test_holm_counts_what_could_not_be_tested():
    assert holm([0.02, None, 0.01]) == [0.04, None, 0.03]
    assert holm([]) == []


def test_sentence_states_smallest_p_and_seeds_needed():
    text = (
        "With 3 paired seeds the smallest attainable p is 0.25; at least 6 seeds are needed to reach 0.05 "
        "in one comparison"
    )
    more = f"{text}, 7 in 3 comparisons with a baseline, 8 in all 6 pairs of 4 groups."
    assert power_statement(3, 4) == f"{more} Corrected for 3 comparisons, the smallest attainable p is 0.75."
    assert power_statement(3, 4, True) == f"{more} Corrected for 6 comparisons, the smallest attainable p is 1."
    assert power_statement(3, 2) == f"{text}."
    unpaired_text = power_statement(1, 2, paired=False)
    assert unpaired_text.startswith("With 1 seed per group the smallest attainable p is 1; at least 4 seeds are needed")
    assert power_statement(8, 1) == power_statement(8, 0) == ""


@pytest.mark.parametrize("matched", [True, False])
@pytest.mark.parametrize("arms", [2, 3, 4])
def test_the_seeds_said_to_be_needed_suffice_and_one_less_does_not(arms, matched):
    """The clearest possible results: every arm far above the one before, at every seed."""

    def smallest(seeds):
        values = {str(k): arm(range(1000 * k, 1000 * k + seeds), (not matched) * 100 * k) for k in range(arms)}
        return max(pair.p_holm for pair in compare_arms(values, "0", all_pairs=True))

    needed = seeds_needed(arms * (arms - 1) // 2, paired=matched)
    assert smallest(needed) <= 0.05 < smallest(needed - 1)


def test_seeds_needed_refuses_nonsense():
    with pytest.raises(ValueError, match="comparisons must be at least 1"):
        seeds_needed(0)
    with pytest.raises(ValueError, match="alpha"):
        seeds_needed(1, 0.0)


def test_pairs_are_matched_by_seed_not_by_order():
    a, b = {3: 1.0, 1: 2.0, 2: 4.0}, {1: 1.5, 2: 3.0, 3: 0.75}
    found = compare_pair(a, b)
    assert (found.paired, found.n) == (True, 3)
    assert found.difference == pytest.approx((0.25 + 0.5 + 1.0) / 3)


def test_pairing_asks_for_all_seeds_of_the_smaller_arm_and_two_at_least():
    assert compare_pair(arm([1, 2, 3]), arm([1, 2, 3, 4, 5])).paired
    assert compare_pair(arm([1, 2, 3, 4, 5]), arm([1, 2, 3])).unmatched == 2
    assert not compare_pair(arm([1, 2, 3]), arm([1, 2, 3], first=1)).paired
    assert not compare_pair(arm([1]), arm([1, 2])).paired


def test_a_run_that_diverged_is_counted_and_changes_no_pairing():
    a = {0: 1.0, 1: math.nan, 2: 3.0, 3: 4.5}
    b = {0: 0.5, 1: 1.0, 2: math.inf, 3: 4.0}
    found = compare_pair(a, b)
    assert (found.paired, found.n, found.excluded, found.unmatched) == (True, 2, 2, 2)
    assert found.difference == 0.5
    lone = compare_pair(a, {0: 1.0, 1: 1.0, 2: math.nan, 3: None})
    assert (lone.paired, lone.n, lone.excluded) == (False, 2, 3), "one pair is no pairing"


def test_values_that_are_not_finite_are_excluded_and_counted():
    found = interval([1.0, math.nan, 2.0, math.inf, None, 3.0])
    assert (found.mean, found.n, found.excluded) == (2.0, 3, 3)
    assert found == interval([1, 2, 3]).__class__(**{**asdict(interval([1, 2, 3])), "excluded": 3})
    empty = interval([math.nan, None])
    assert (empty.mean, empty.low, empty.high, empty.n, empty.excluded) == (None, None, None, 0, 2)


def test_one_value_has_no_interval_and_equal_ones_a_degenerate():
    one = interval([0.5])
    assert (one.mean, one.low, one.high, one.n, one.degenerate) == (0.5, None, None, 1, False)
    for n in (2, 3, 25):
        same = interval([0.1] * n)
        assert (same.mean, same.low, same.high, same.degenerate) == (0.1, 0.1, 0.1, True)
    assert interval([0.1 + 0.2, 0.3, 0.3]).degenerate, "rounding is no spread"
    assert not interval([0.3, 0.3, 0.3000001]).degenerate


def test_rounding_is_no_difference():
    """0.1 + 0.2 is above 0.3 at every seed; the smallest p of 8 seeds would call that real."""
    a, b = [0.1 + 0.2 + k for k in range(8)], [0.3 + k for k in range(8)]
    for found in (paired(arm(a), arm(b)), apart([0.1 + 0.2] * 8, [0.3] * 8)):
        assert (found.difference, found.low, found.high, found.p, found.effect) == (0.0, 0.0, 0.0, 1.0, 0.0)
        assert found.degenerate


def test_a_difference_without_spread_has_no_effect_size():
    for found in (paired(arm([1.1, 2.1, 3.1]), arm([1, 2, 3])), apart([2, 2, 2], [1, 1, 1])):
        assert (found.low, found.high) == (found.difference, found.difference)
        assert (found.effect, found.degenerate) == (None, True)
    assert paired(arm([1.1, 2.1, 3.1]), arm([1, 2, 3])).p == 0.25
    half = apart([2, 2, 2], [1, 1.5, 0.9])
    assert half.low < half.difference < half.high
    assert not half.degenerate


def test_too_few_seeds_give_no_p_and_no_interval():
    for found in (apart([1], [2, 3, 4]), paired(arm([1]), arm([2])), apart([], [1, 2]), paired({}, {})):
        assert found.p is found.low is found.high is found.effect is None
        assert found.test.startswith("none")
    assert apart([1], [2, 3, 4]).difference == -2.0
    assert apart([], [1, 2]).difference is None


def test_beyond_twenty_pairs_patterns_are_drawn_and_said_to_be():
    rng = np.random.default_rng(1)
    d = list(rng.normal(0.4, 1, 20))
    exact, drawn = sign_flip_test(d), sign_flip_test([*d, 0.0])
    assert (exact.name, drawn.name) == ("sign-flip, exact", "sign-flip, Monte Carlo")
    slack = 4 * math.sqrt(exact.p * (1 - exact.p) / 99_999)
    assert drawn.p == pytest.approx(exact.p, abs=slack), "a difference of nothing changes nothing"
    assert drawn == sign_flip_test([*d, 0.0])
    assert sign_flip_test([1.0] * 40).p == 1 / 100_000, "never 0"


def test_beyond_a_hundred_thousand_splits_they_are_drawn_and_said_to_be():
    pooled = np.random.default_rng(2).normal(size=20)
    a, b = list(pooled[:10] + 0.5), list(pooled[10:])
    sums = np.array(list(itertools.combinations([*a, *b], 10))).sum(1)
    exact = 2 * min(np.mean(sums >= sum(a) - 1e-9), np.mean(sums <= sum(a) + 1e-9))
    found = permutation_test(a, b)
    assert found.name == "permutation, Monte Carlo"
    assert found.p == pytest.approx(exact, abs=8 * math.sqrt(exact / 99_999))
    far = permutation_test([k + 100.0 for k in range(30)], [float(k) for k in range(30)])
    assert far.p == pytest.approx(2 / 100_000), "never 0"


def test_arms_are_compared_with_the_baseline_or_all_with_all():
    rng = np.random.default_rng(0)
    arms = {name: arm(rng.normal(shift, 1, 8)) for name, shift in (("base", 0), ("x", 0.1), ("y", 5), ("z", -5))}
    against = compare_arms(arms, "base")
    assert [(pair.a, pair.b) for pair in against] == [("x", "base"), ("y", "base"), ("z", "base")]
    assert [pair.p_holm for pair in against] == holm([compare_pair(arms[k], arms["base"]).p for k in "xyz"])
    assert against[1].difference == pytest.approx(
        np.mean(list(arms["y"].values())) - np.mean(list(arms["base"].values()))
    )
    every = compare_arms(arms, "base", all_pairs=True)
    assert {frozenset((pair.a, pair.b)) for pair in every} == set(map(frozenset, itertools.combinations(arms, 2)))
    assert [pair.p_holm for pair in every] == holm([pair.p for pair in every])
    assert all(pair.b == "base" for pair in every if "base" in (pair.a, pair.b))


def test_a_baseline_picked_for_its_results_pays_for_all_pairs():
    arms = {name: arm(np.random.default_rng(k).normal(4 * k, 1, 8)) for k, name in enumerate("abcd")}
    every = {(pair.a, pair.b): pair for pair in compare_arms(arms, "c", all_pairs=True)}
    picked = compare_arms(arms, "c", picked=True)
    assert [(pair.a, pair.b) for pair in picked] == [("a", "c"), ("b", "c"), ("d", "c")]
    assert all(pair == every[pair.a, pair.b] for pair in picked)
    assert [pair.p_holm for pair in picked] == pytest.approx([6 * 2 / 256] * 3)
    assert [pair.p_holm for pair in compare_arms(arms, "c")] == pytest.approx([3 * 2 / 256] * 3)


def test_an_unknown_baseline_names_the_nearest_and_one_arm_has_no_pair():
    with pytest.raises(UsageError) as error:
        compare_arms({"tcn": {0: 1.0}, "lstm": {0: 1.0}}, "tnc")
    assert (error.value.code, error.value.fields["name"]) == ("unknown_name", "tnc")
    assert set(error.value.fields["known"]) == {"tcn", "lstm"}
    assert compare_arms({"tcn": {0: 1.0}}, "tcn") == []


def test_order_and_sign_change_nothing_but_the_sign():
    a, b = arm(np.random.default_rng(0).normal(size=7)), arm(np.random.default_rng(1).normal(size=7))
    for test in (paired, unpaired):
        there, back = test(a, b), test(b, a)
        assert (there.difference, there.low, there.high) == pytest.approx((-back.difference, -back.high, -back.low))
        assert (there.p, there.effect) == pytest.approx((back.p, -back.effect))


def test_a_band_is_the_t_interval_at_each_common_step():
    curves = {0: ([1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0]), 1: ([4, 2, 3], [5.0, 4.0, 4.0]), 2: ([2, 3, 4, 9], [6.0] * 4)}
    found = band(curves)
    assert found.steps == [2, 3, 4]
    for place, values in enumerate(([2, 4, 6], [3, 4, 6], [4, 5, 6])):
        expected = interval(values)
        here = found.mean[place], found.low[place], found.high[place]
        assert here == pytest.approx((expected.mean, expected.low, expected.high))
    assert found.n == [3, 3, 3]


def test_a_band_tells_what_is_missing():
    found = band({0: ([1, 2, 3], [1.0, math.nan, math.inf]), 1: ([1, 2, 3], [3.0, 2.0, None]), 2: ([], [])})
    assert (found.mean, found.n) == ([2.0, 2.0, None], [2, 1, 0])
    assert found.low[1:] == found.high[1:] == [None, None]
    assert band({}).steps == band({0: ([1], [1.0]), 1: ([2], [1.0])}).steps == []
    assert band({0: ([1, 1], [5.0, 6.0])}).mean == [6.0], "a step logged again counts as last logged"
    with pytest.raises(ValueError, match="shorter"):
        band({0: ([1, 2], [1.0])})


def test_a_level_is_between_0_and_1():
    with pytest.raises(ValueError, match="got 95"):
        interval([1, 2], level=95.0)


anything = st.one_of(
    st.none(), st.floats(), st.integers(-(10**6), 10**6), st.sampled_from([0.1, 0.1 + 0.2, 0.3, 1e308])
)
arms_of_anything = st.dictionaries(st.integers(0, 6), anything, max_size=6)


@given(arms_of_anything, arms_of_anything)
@settings(deadline=None, max_examples=60)
def test_whatever_was_logged_the_result_is_strict_json_in_order(a, b):
    found = [interval(a.values()), interval(b.values(), kind="bca"), compare_pair(a, b), paired(a, b), unpaired(a, b)]
    json.dumps([asdict(each) for each in found], allow_nan=False)
    for each in found:
        assert each.low is None or each.high is None or each.low <= each.high
        assert getattr(each, "p", None) is None or 0 < each.p <= 1
    for arm_of in (a, b):
        assert interval(arm_of.values()).n + interval(arm_of.values()).excluded == len(arm_of)
    json.dumps(asdict(band({0: (a.keys(), a.values()), 1: (b.keys(), b.values())})), allow_nan=False)


def test_the_quantiles_that_are_written_down_are_scipys():
    for freedom in range(1, 40):
        assert _quantile(freedom, 0.95) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-14)
    assert _quantile(4, 0.9) == pytest.approx(stats.t.ppf(0.95, 4))
