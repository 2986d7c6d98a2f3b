"""What every strategy owes: functions of their history, failures that are rows, plain words for what cannot be."""

import io

import pytest
import torch
from helpers.errors import usage_error
from toy_trials import Made, ToySpace, planted, run

from dlcli.core.errors import Mismatch
from dlcli.core.space import Decision
from dlcli.learners.strategies.random_trials import Random
from dlcli.learners.strategies.regularized_evolution import RegularisedEvolution
from dlcli.learners.strategies.reinforce_nas import ReinforceNAS
from dlcli.learners.strategies.successive_halving import SuccessiveHalving
from dlcli.learners.strategies.tpe import TPE
from dlcli.nn.supernet.controller import Controller

SHARED = {"candidates": 24, "batch": 4, "seed": 3}


def controller(space):
    return Controller(space, hidden=16, tanh=2.5, temperature=1.0, initial=0.1, shapings={}, priors={})


MAKES = {
    "random": lambda trials, **more: Random(trials, over=[], **SHARED | more),
    "evolution": lambda trials, **more: RegularisedEvolution(trials, population=8, sample=3, **SHARED | more),
    "reinforce": lambda trials, **more: ReinforceNAS(
        trials, controller=controller, lr=0.03, decay=0.9, entropy=1e-4, **SHARED | more
    ),
    "halving": lambda trials, **more: SuccessiveHalving(
        trials, over=[], rungs=3, reduction=2, until={"steps": 8}, **SHARED | more
    ),
    "tpe": lambda trials, **more: TPE(
        trials, over=[], startup=5, multivariate=True, stages=2, reduction=2, until={"steps": 8}, **SHARED | more
    ),
}


@pytest.fixture(params=MAKES)
def make(request):
    return MAKES[request.param]


def asked(trials):
    return [trial for batch in trials.asked for trial in batch]


def saved(strategy):
    """The state as it comes back from a file."""
    file = io.BytesIO()
    torch.save(strategy.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_as_many_trials_are_counted_as_there_are_candidates(make):
    trials = Made()
    strategy = make(trials)
    assert run(strategy, 24)["trials"] == 24
    assert {trial.number for trial in asked(trials)} == set(range(24))
    assert all(len(batch) <= 4 for batch in trials.asked)


def test_the_same_seed_asks_for_the_same_and_another_for_others(make):
    one, again, other = Made(), Made(), Made()
    run(make(one), 24)
    run(make(again), 24)
    run(make(other, seed=4), 24)
    assert asked(one) == asked(again)
    assert asked(one) != asked(other)


@pytest.mark.parametrize("stop", [1, 3])
def test_going_on_from_a_state_is_never_having_stopped(make, stop):
    whole, begun, rest = Made(), Made(), Made()
    run(make(whole), 24)
    first = make(begun)
    done = sum(first.step().counts["trials"] for _ in range(stop))
    second = make(rest)
    second.load_state_dict(saved(first))
    run(second, 24 - done)
    assert begun.asked + rest.asked == whole.asked


def test_failures_are_rows_and_never_win(make):
    trials = Made(lambda trial: "diverged" if trial.architecture[0] == 3 else planted(trial))
    strategy = make(trials)
    assert run(strategy, 24)["trials"] == 24
    rows = strategy.leave()["architectures"].rows
    assert {row[4] for row in rows} == {"completed", "diverged"}
    assert strategy.best.trial.architecture[0] != 3
    assert strategy.model is None
    assert not strategy.leave()


def test_all_of_them_may_fail(make):
    strategy = make(Made(lambda trial: "out of memory"))
    assert run(strategy, 24)["trials"] == 24
    assert strategy.best is None


def test_another_space_or_strategy_is_refused(make):
    strategy = make(Made())
    strategy.step()
    smaller = ToySpace()
    smaller.decisions = ToySpace.decisions[:-1]
    with usage_error("mismatch", kind=Mismatch, subject="the checkpoint", got="another one"):
        make(Made(space=smaller)).load_state_dict(strategy.state_dict())
    with usage_error("mismatch", kind=Mismatch, subject="the checkpoint"):
        strategy.load_state_dict({**strategy.state_dict(), "kind": "Other"})


def test_nothing_to_search_is_told(make):
    single = ToySpace()
    single.decisions = (Decision("only", ("this",)),)
    with usage_error("invalid_value", key="architecture space", got=1):
        make(Made(space=single))
    with usage_error("invalid_value", key="candidates", got=0):
        make(Made(), candidates=0)
    with usage_error("invalid_value", key="strategy.batch", got=0):
        make(Made(), batch=0)
    with usage_error("requires", kind=Mismatch):
        make(Made(space=None))


def until_found(make, seed, most=600):
    """Trials until eight of ten decisions are the planted ones."""
    strategy = make(Made(), candidates=most, seed=seed)
    while len(strategy.history) < most:
        strategy.step()
        if strategy.best.value >= 0.8:
            break
    return len(strategy.history)


@pytest.mark.parametrize("name", ["evolution", "reinforce"])
def test_a_planted_optimum_is_found_in_fewer_trials_than_by_chance(name):
    own = [until_found(MAKES[name], seed) for seed in range(3)]
    chance = [until_found(MAKES["random"], seed) for seed in range(3)]
    assert max(own) < min(chance)
    assert sum(own) < sum(chance) / 2
