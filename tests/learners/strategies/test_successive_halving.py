"""Halving: which trials go on, and what that costs."""

from helpers.errors import usage_error
from toy_trials import Made, run

from dlcli.learners.strategies.rungs import rung_limits
from dlcli.learners.strategies.successive_halving import SuccessiveHalving


def halving(trials, candidates=9, batch=4, until=None):
    return SuccessiveHalving(
        trials, candidates=candidates, batch=batch, seed=0, over=[], rungs=3, reduction=3,
        until=until or {"steps": 90},
    )  # fmt: skip


def by_number(trial):
    return (trial.number * 4) % 9


def test_the_best_third_goes_on_three_times_as_far():
    trials = Made(by_number)
    run(halving(trials), 9)
    rungs = {}
    for trial in (trial for batch in trials.asked for trial in batch):
        rungs.setdefault(trial.until["steps"], []).append(trial.number)
    # values by number: 0 4 8 3 7 2 6 1 5, so 2, 4 and 6 are the best three, and 2 of these
    assert rungs == {10: list(range(9)), 30: [2, 4, 6], 90: [2]}


def test_a_trial_that_goes_on_is_the_same_and_its_steps_count_once():
    trials = Made(by_number)
    strategy = halving(trials)
    # 9 x 10, three go on for 20 more, one of them for 60 more: against 9 x 90 of all trials to their ends
    assert run(strategy, 9) == {"trials": 9, "trial_steps": 9 * 10 + 3 * 20 + 60}
    same = {(one.trial.number, one.trial.architecture) for one in strategy.history}
    assert len(same) == 9


def test_how_many_are_asked_at_once_changes_nothing():
    one, other = Made(by_number), Made(by_number)
    run(halving(one, batch=1), 9)
    run(halving(other, batch=9), 9)
    assert [t for batch in one.asked for t in batch] == [t for batch in other.asked for t in batch]


def test_stops_are_whole_numbers_that_grow():
    assert rung_limits({"epochs": 9}, 3, 3) == [{"epochs": 1}, {"epochs": 3}, {"epochs": 9}]
    assert rung_limits({"seconds": 8.0}, 2, 2) == [{"seconds": 4.0}, {"seconds": 8.0}]
    with usage_error("invalid_value", key="until", got="{'epochs': 2}"):
        rung_limits({"epochs": 2}, 3, 3)
