"""Directions that a claim states, against those of its runs."""

import pytest
from stated import claim

from dlcli.claims.verdict_record import check_directions
from dlcli.core.errors import UsageError
from dlcli.runs.run import Run

ARMS = {name: {"verb": "train", "recipe": "tcn"} for name in ("a", "b")}


def run(tmp_path, metric, direction):
    ways = {metric: {"direction": direction, "unit": "", "baseline": None}}
    made = Run.create(tmp_path, "train", "tcn", "", metric_info=ways)
    made.finish("completed", 0, metrics={"test": {metric: 1.0}})
    return made


def stated(metric, direction, relation=None):
    return claim(relation or {"better": "a", "than": "b"}, metrics={metric: direction}, arms=ARMS)


@pytest.mark.parametrize(("metric", "direction"), [("return", "max"), ("psnr", "max"), ("precision_loss", "min")])
def test_direction_of_a_claim_must_be_that_of_its_runs(tmp_path, metric, direction):
    runs = {"a": [run(tmp_path, metric, direction)]}
    right, wrong = ("higher", "lower") if direction == "max" else ("lower", "higher")
    check_directions(stated(metric, right), runs)
    with pytest.raises(UsageError) as error:
        check_directions(stated(metric, wrong), runs)
    assert (error.value.code, error.value.fields["got"]) == ("mismatch", wrong)


def test_direction_does_not_matter_for_a_range_a_gap_and_an_unknown_one(tmp_path):
    runs = {"a": [run(tmp_path, "psnr", "max")]}
    check_directions(stated("psnr", "lower", {"value": "psnr", "within": [0, 1], "arm": "a"}), runs)
    check_directions(stated("psnr", {"direction": "lower", "minus": "train"}), runs)
    check_directions(stated("psnr", "lower"), {"a": [run(tmp_path, "other", "max")]})
