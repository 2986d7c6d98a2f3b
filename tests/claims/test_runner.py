"""The arms of our claims: what they are trained with is the same, or the claim says what is not."""

import re
from pathlib import Path

import pytest

from dlcli.claims import claim as stating
from dlcli.engine import run_commands
from dlcli.engine.options import Options

TRAINED = [
    name for name in stating.claim_paths() if {arm.verb for arm in stating.load_claim(name).arms.values()} == {"train"}
]
NUMBER = re.compile(r"\d*\.\d+|\d+")


def work(arm):
    """Optimizer, rate, clipping, batch and stop of an arm."""
    options = Options(Path("nowhere"), verb=arm.verb, show="none", quiet=True)
    config = run_commands.points([*arm.words, "seed=0"], options)[0].resolved()
    player = config["learner"]["players"]["model"]
    optimizer = player["optimizer"]
    return {
        "optimizer": optimizer["_target_"].rpartition(".")[2], "rate": optimizer["lr"], "clip": player["clip"],
        "batch": config["task"]["batch"], "until": config["until"],
    }  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_arms_are_trained_alike_but_for_what_the_claim_says(name):
    claim = stating.load_claim(name)
    arms = [work(arm) for arm in claim.arms.values()]
    said = {float(one) for one in NUMBER.findall(claim.scaled)}
    for key in ("optimizer", "batch", "until"):
        assert all(one[key] == arms[0][key] for one in arms), key
    for key in ("rate", "clip"):
        if any(one[key] != arms[0][key] for one in arms):
            assert {one[key] for one in arms if one[key]} <= said, (key, claim.scaled)


def test_what_is_not_said_is_noticed():
    claim = stating.load_claim("tcn_adding")
    rates = {work(arm)["rate"] for arm in claim.arms.values()}
    assert len(rates) == 3
    assert not rates & {float(one) for one in NUMBER.findall(claim.scaled.partition("Adam")[0])}
