"""Relations: what each form means, and that nothing else is read, least of all run."""

import math

import pytest
from stated import claim

from dlcli.core.errors import UsageError


def only(*relations, **changes):
    (one,) = claim(*relations, **changes).relations[0].comparisons
    return one


def test_better_by_a_margin_is_a_difference_that_is_larger_the_better():
    one = only({"better": "a", "than": "b", "by": 0.5})
    assert (one.kind, one.arms, one.sign, one.low, one.high) == ("difference", ("a", "b"), -1, 0.5, math.inf)
    assert only({"better": "a", "than": "b", "metric": "accuracy"}).sign == 1
    assert only({"better": "a", "than": "b"}).low == 0.0


def test_better_by_a_factor_is_a_ratio():
    one = only({"better": "a", "than": "c", "by_factor": 10})
    assert (one.kind, one.low) == ("ratio", 10.0)


def test_a_level_is_reached_from_the_side_of_the_metric():
    assert only({"arm": "a", "reaches": 0.1}).high == 0.1
    assert only({"arm": "a", "reaches": 0.9, "metric": "accuracy"}).low == 0.9


def test_an_order_is_a_comparison_of_each_with_the_next():
    (relation,) = claim({"order": ["c", "a", "b"]}).relations
    assert [one.arms for one in relation.comparisons] == [("c", "a"), ("a", "b")]


def test_a_slope_lies_within_bounds_of_the_arm_that_is_meant():
    one = only({"slope": "nll", "within": [-0.6, -0.4], "arm": "b"})
    assert (one.kind, one.arms, one.low, one.high) == ("mean", ("b",), -0.6, -0.4)
    with pytest.raises(UsageError, match="of which arm"):
        claim({"value": "nll", "within": [0, 1]})


def test_arms_may_be_read_by_metrics_of_their_own_in_one_direction():
    arms = {
        "found": {"verb": "search", "recipe": "enas", "metric": "x"},
        "random": {"verb": "search", "recipe": "enas", "metric": "y"},
    }
    better = {"better": "found", "than": "random"}
    one = only(better, arms=arms, metrics={"x": "higher", "y": "higher"})
    assert (one.metrics, one.text) == (("x", "y"), "found better than random (x against y)")
    with pytest.raises(UsageError, match="opposite directions"):
        claim(better, arms=arms, metrics={"x": "higher", "y": "lower"})


@pytest.mark.parametrize(
    ("relation", "said"),
    [
        ("__import__('os').system('true')", "is a mapping"),
        ({"eval": "1"}, "one of better"),
        ({"beter": "a", "than": "b"}, 'did you mean "better"'),
        ({"better": "a", "then": "b"}, 'did you mean "than"'),
        ({"better": "a"}, "than missing"),
        ({"better": "a", "than": "d"}, "no arm 'd'"),
        ({"better": "a", "than": "b", "metric": "acuracy"}, 'did you mean "accuracy"'),
        ({"better": "a", "than": "b", "by": "1 + 1"}, "by is a number"),
        ({"better": "a", "than": "b", "by": True}, "by is a number"),
        ({"better": "a", "than": "b", "by": float("nan")}, "by is a number"),
        ({"better": "a", "than": "b", "by": 1, "by_factor": 2}, "not both"),
        ({"better": "a", "than": "b", "by_factor": 0}, "above 0"),
        ({"better": "a", "than": "b", "reaches": 1}, "one of better|no key 'reaches'"),
        ({"better": "a", "than": "a", "metric": "nll"}, "better than itself"),
        ({"better": "a", "than": "a"}, "better than itself"),
        ({"better": "a", "than": "b", "by_factor": float("inf")}, "by_factor is a number"),
        ({"arm": "a", "reaches": float("nan")}, "reaches is a number"),
        ({"value": "nll", "within": [float("nan"), 1], "arm": "a"}, "low, high"),
        ({"value": "nll", "within": [False, 1], "arm": "a"}, "low, high"),
        ({"arm": "a", "reaches": [1]}, "reaches is a number"),
        ({"order": ["a"]}, "two arms"),
        ({"order": ["a", "a"]}, "two arms"),
        ({"value": "nll", "within": [2, 1], "arm": "a"}, "low, high"),
        ({"value": "nll", "within": ["os", "sys"], "arm": "a"}, "low, high"),
    ],
)
def test_anything_else_is_an_error_in_words(relation, said):
    with pytest.raises(UsageError, match=said):
        claim(relation)


def test_relations_that_depend_on_the_direction_are_marked():
    assert only({"better": "a", "than": "b"}).directed
    assert only({"arm": "a", "reaches": 0.1}).directed
    assert not only({"slope": "nll", "within": [-0.6, -0.4], "arm": "b"}).directed
