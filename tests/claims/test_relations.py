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
    with pytest.raises(UsageError) as error:
        claim({"value": "nll", "within": [0, 1]})
    assert (error.value.code, error.value.fields["key"]) == ("required", "claim made_up: value: arm")


def test_arms_may_be_read_by_metrics_of_their_own_in_one_direction():
    arms = {
        "found": {"verb": "search", "recipe": "enas", "metric": "x"},
        "random": {"verb": "search", "recipe": "enas", "metric": "y"},
    }
    better = {"better": "found", "than": "random"}
    one = only(better, arms=arms, metrics={"x": "higher", "y": "higher"})
    assert (one.metrics, one.text) == (("x", "y"), "found better than random (x against y)")
    with pytest.raises(UsageError) as error:
        claim(better, arms=arms, metrics={"x": "higher", "y": "lower"})
    assert (error.value.code, error.value.fields["second"]) == ("conflict", "metric y")


@pytest.mark.parametrize(
    ("relation", "code", "field"),
    [
        ("__import__('os').system('true')", "invalid_value", "relation"),
        ({"eval": "1"}, "unknown_key", "eval"),
        ({"beter": "a", "than": "b"}, "unknown_key", "beter"),
        ({"better": "a", "then": "b"}, "unknown_key", "then"),
        ({"better": "a"}, "required", "better: than"),
        ({"better": "a", "than": "d"}, "unknown_name", "d"),
        ({"better": "a", "than": "b", "metric": "acuracy"}, "unknown_name", "acuracy"),
        ({"better": "a", "than": "b", "by": "1 + 1"}, "invalid_value", ": by"),
        ({"better": "a", "than": "b", "by": True}, "invalid_value", ": by"),
        ({"better": "a", "than": "b", "by": float("nan")}, "invalid_value", ": by"),
        ({"better": "a", "than": "b", "by": 1, "by_factor": 2}, "conflict", "by_factor"),
        ({"better": "a", "than": "b", "by_factor": 0}, "invalid_value", "by_factor"),
        ({"better": "a", "than": "b", "reaches": 1}, "invalid_value", "relation"),
        ({"better": "a", "than": "a", "metric": "nll"}, "invalid_value", "than"),
        ({"better": "a", "than": "a"}, "invalid_value", "than"),
        ({"better": "a", "than": "b", "by_factor": float("inf")}, "invalid_value", "by_factor"),
        ({"arm": "a", "reaches": float("nan")}, "invalid_value", "reaches"),
        ({"value": "nll", "within": [float("nan"), 1], "arm": "a"}, "invalid_value", "within"),
        ({"value": "nll", "within": [False, 1], "arm": "a"}, "invalid_value", "within"),
        ({"arm": "a", "reaches": [1]}, "invalid_value", "reaches"),
        ({"order": ["a"]}, "invalid_value", "order"),
        ({"order": ["a", "a"]}, "invalid_value", "order"),
        ({"value": "nll", "within": [2, 1], "arm": "a"}, "invalid_value", "within"),
        ({"value": "nll", "within": ["os", "sys"], "arm": "a"}, "invalid_value", "within"),
    ],
)
def test_parse_rejects_invalid_relations(relation, code, field):
    with pytest.raises(UsageError) as error:
        claim(relation)
    fields = error.value.fields
    assert error.value.code == code
    assert str(fields.get("name") or fields.get("key") or fields["second"]).endswith(field)


def test_relations_that_depend_on_the_direction_are_marked():
    assert only({"better": "a", "than": "b"}).directed
    assert only({"arm": "a", "reaches": 0.1}).directed
    assert not only({"slope": "nll", "within": [-0.6, -0.4], "arm": "b"}).directed
