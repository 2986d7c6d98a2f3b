"""Schedules: closed forms at hand-computed updates."""

import math

import pytest
from helpers.errors import usage_error

from dlcli.core.learner import Schedule
from dlcli.learners.gradient.schedule import Constant, Cosine, Exponential, Plateau, ScoreDependent, Step, WarmRestarts


def watched(schedule, scores):
    """The factor after each update, the score at update u being scores[u]."""
    factors = []
    for update in range(len(scores)):
        schedule.watch(update, lambda update=update: scores[update])
        factors.append(schedule.factor(update))
    return factors


def plateau(**other):
    return Plateau(**({"every": 1, "window": 2, "after": 0, "gamma": 0.5} | other))


def test_exponential_falls_smoothly_to_its_floor():
    schedule = Exponential(every=10, gamma=0.25, floor=0.1)
    for update, wanted in ((0, 1.0), (5, 0.5), (10, 0.25), (15, 0.125), (17, 0.1), (1000, 0.1)):
        assert math.isclose(schedule.factor(update), wanted)
    with usage_error("invalid_value", key="schedule.floor", got=2.0):
        Exponential(every=10, gamma=0.25, floor=2.0)


def test_all_are_schedules_and_only_plateau_watches():
    every = [Constant(), Step(every=1, gamma=0.5), Cosine(updates=2, warmup=0, floor=0.0), plateau()]
    assert all(isinstance(schedule, Schedule) for schedule in every)
    assert [isinstance(schedule, ScoreDependent) for schedule in every] == [False, False, False, True]


def test_constant():
    assert {Constant().factor(update) for update in (0, 1, 10**9)} == {1.0}


def test_step_drops_at_multiples_and_not_before():
    schedule = Step(every=10, gamma=0.1)
    assert [schedule.factor(update) for update in (0, 9, 10, 19, 20)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_cosine_rises_falls_and_stays():
    schedule = Cosine(updates=14, warmup=4, floor=0.2)
    assert [schedule.factor(update) for update in range(4)] == pytest.approx([0.25, 0.5, 0.75, 1])
    half = 0.2 + 0.8 * 0.5
    assert [schedule.factor(update) for update in (4, 9, 14, 15, 10**6)] == pytest.approx([1, half, 0.2, 0.2, 0.2])
    assert schedule.factor(6) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 5)) / 2)


def test_cosine_without_warmup_begins_at_one():
    assert Cosine(updates=1, warmup=0, floor=0.0).factor(0) == 1


def test_plateau_drops_only_when_worse_than_all_of_the_window():
    #         update 0 is not looked at; 1, 2 fill the window; 3 is worse than both; 4 not worse than the 9
    assert watched(plateau(), [0, 5, 6, 9, 8, 7, 10]) == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, 0.25])


def test_plateau_needs_strictly_worse():
    assert watched(plateau(), [0, 5, 5, 5, 5]) == [1] * 5


def test_warm_restarts_fall_and_begin_again_over_longer_periods():
    schedule = WarmRestarts(updates=4, growth=2, floor=0.2)
    first = [schedule.factor(update) for update in range(4)]
    half = 0.4 * math.sqrt(0.5)
    assert first == pytest.approx([1, 0.6 + half, 0.6, 0.6 - half])
    assert [schedule.factor(update) for update in (4, 8, 12, 20, 28)] == pytest.approx([1, 0.6, 1, 0.6, 1])
    steady = WarmRestarts(updates=4, growth=1, floor=0.2)
    assert [steady.factor(update) for update in range(400, 404)] == pytest.approx(first)


def test_plateau_waits_for_after_and_looks_only_every_so_often():
    assert watched(plateau(after=5), [0, 1, 2, 3, 4, 5]) == pytest.approx([1, 1, 1, 1, 1, 0.5])
    looked = []
    schedule = plateau(every=3)
    for update in range(10):
        schedule.watch(update, lambda update=update: looked.append(update) or 0.0)
    assert looked == [3, 6, 9]


def test_plateau_goes_on_from_its_state():
    scores = [0, 5, 6, 9, 8, 7, 10, 11, 3, 12, 13]
    whole = watched(plateau(), scores)
    for cut in range(1, len(scores)):
        first, second = plateau(), plateau()
        watched(first, scores[:cut])
        second.load_state_dict(first.state_dict())
        for update in range(cut, len(scores)):
            second.watch(update, lambda update=update: scores[update])
            assert second.factor(update) == whole[update]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Step(every=0, gamma=0.5), {"code": "invalid_value", "key": "schedule.every", "got": 0}),
        (lambda: Step(every=1, gamma=0.0), {"code": "invalid_value", "key": "schedule.gamma", "got": 0.0}),
        (lambda: Step(every=1, gamma=1.5), {"code": "invalid_value", "key": "schedule.gamma"}),
        (lambda: Step(every=1, gamma=math.nan), {"code": "invalid_value", "key": "schedule.gamma"}),
        (
            lambda: Cosine(updates=0, warmup=0, floor=0.0),
            {"code": "invalid_value", "key": "schedule.updates", "got": 0},
        ),
        (lambda: Cosine(updates=5, warmup=5, floor=0.0), {"code": "invalid_value", "key": "schedule.warmup", "got": 5}),
        (
            lambda: Cosine(updates=5, warmup=-1, floor=0.0),
            {"code": "invalid_value", "key": "schedule.warmup", "got": -1},
        ),
        (
            lambda: Cosine(updates=5, warmup=0, floor=2.0),
            {"code": "invalid_value", "key": "schedule.floor", "got": 2.0},
        ),
        (
            lambda: WarmRestarts(updates=4, growth=0, floor=0.0),
            {"code": "invalid_value", "key": "schedule.growth", "got": 0},
        ),
        (
            lambda: WarmRestarts(updates=4, growth=2, floor=-1.0),
            {"code": "invalid_value", "key": "schedule.floor", "got": -1.0},
        ),
        (lambda: plateau(window=0), {"code": "invalid_value", "key": "schedule.window", "got": 0}),
        (lambda: plateau(gamma=-1.0), {"code": "invalid_value", "key": "schedule.gamma"}),
    ],
)
def test_impossible_values_are_refused_in_words(make, words):
    with usage_error(**words):
        make()
