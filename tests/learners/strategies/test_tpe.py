"""TPE: reproducible from its history, better than chance, and short with trials that look bad."""

import math

import pytest
from helpers.errors import usage_error
from toy_trials import Made, run

from dlcli.core.errors import Mismatch
from dlcli.core.metric import Goal
from dlcli.learners.strategies.distributions import NumericRange, distributions
from dlcli.learners.strategies.random_trials import Random
from dlcli.learners.strategies.tpe import TPE

OVER = [
    {"key": "lr", "low": 1e-5, "high": 1.0, "log": True},
    {"key": "model.hidden", "low": 16, "high": 112, "step": 16, "whole": True},
    {"key": "optimizer", "choices": ["adam", "sgd"]},
]


def settings(trial):
    return dict(word.split("=") for word in trial.words)


def loss(trial):
    """Least at lr = 0.01, 64 units, adam."""
    found = settings(trial)
    away = abs(math.log10(float(found["lr"])) + 2) + abs(int(found["model.hidden"]) - 64) / 48
    return away + (found["optimizer"] != "adam")


def made(value=loss):
    return Made(value, None, Goal("nll", "min"))


def tpe(trials, **more):
    keys = {"candidates": 40, "batch": 4, "seed": 0, "over": OVER, "startup": 8, "multivariate": True, "stages": 1}
    return TPE(trials, **keys | {"reduction": 3, "until": {"steps": 90}} | more)


def test_words_are_of_the_distributions():
    trials = made()
    run(tpe(trials), 40)
    for trial in (trial for batch in trials.asked for trial in batch):
        found = settings(trial)
        assert 1e-5 <= float(found["lr"]) <= 1.0
        assert int(found["model.hidden"]) in range(16, 113, 16)
        assert found["optimizer"] in ("adam", "sgd")
        assert not trial.until


def test_later_trials_are_better_than_chance():
    late, chance = [], []
    for seed in range(3):
        own, other = tpe(made(), seed=seed), Random(made(), candidates=40, batch=4, seed=seed, over=OVER)
        run(own, 40)
        run(other, 40)
        late += [one.value for one in own.history[20:]]
        chance += [one.value for one in other.history[20:]]
    assert sum(late) < 0.7 * sum(chance)


def test_trials_below_the_median_stop_early():
    trials = made()
    strategy = tpe(trials, stages=2)
    counts = run(strategy, 40)
    last = [one for one in strategy.latest.values() if one.trial.until == {"steps": 90}]
    early = [one for one in strategy.latest.values() if one.trial.until == {"steps": 30}]
    assert len(early) + len(last) == counts["trials"] == 40
    assert 5 <= len(early) <= 30
    assert counts["trial_steps"] == 30 * len(early) + 90 * len(last)
    assert min(one.value for one in last) <= min(one.value for one in early)


def test_random_draws_cover_a_logarithmic_scale():
    strategy = Random(made(), candidates=400, batch=400, seed=0, over=OVER)
    low = [float(settings(trial)["lr"]) < 10**-2.5 for trial in strategy.ask()]
    assert 160 < sum(low) < 240
    sizes = {settings(trial)["model.hidden"] for trial in strategy.ask()}
    assert sizes == {"16", "32", "48", "64", "80", "96", "112"}


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"key": "lr", "low": 1.0, "high": 1.0}, {"code": "invalid_value", "key": "over lr", "got": "1 to 1"}),
        ({"key": "lr", "low": 0.0, "high": 1.0, "log": True}, {"code": "invalid_value", "key": "over lr", "got": 0.0}),
        ({"key": "a", "choices": ["x"]}, {"code": "invalid_value", "key": "over a", "got": "['x']"}),
        ({"key": "a", "low": 1.0}, {"code": "invalid_value", "key": "over", "got": "{'key': 'a', 'low': 1.0}"}),
    ],
)
def test_what_leaves_no_choice_is_told(entry, told):
    with usage_error(**told):
        distributions([entry])


def test_numbers_stay_inside_after_rounding():
    assert NumericRange("lr", 1 / 3, 2 / 3).samples == (
        f"lr={1 / 3!r}",
        f"lr={0.666667 if 0.666667 <= 2 / 3 else 2 / 3!r}",
    )


def test_nothing_to_search_is_told():
    with usage_error("requires", kind=Mismatch, key="strategy=tpe"):
        tpe(made(), over=[])
    with usage_error("invalid_value", key="--over", got="optimizer, optimizer"):
        tpe(made(), over=[OVER[2], OVER[2]])
