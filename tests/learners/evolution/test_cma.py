"""CMA-ES through its library: where it goes, what it refuses."""

import sys

from helpers.errors import usage_error
from valley import Valley, Vector, learner, rastrigin, sphere

from dlcli.core.errors import Missing


def run(function, size, limit, **more):
    made = learner("cma", Valley(function), model=Vector(size), elite_batches=0, **more)
    done = 0
    while done < limit:
        done += made.step().counts["evaluations"]
    return float(function(made.model.weight.detach()[0]))


def test_it_converges_on_the_sphere():
    """Ten dimensions, below 1e-8 in 2,500 evaluations."""
    assert run(sphere, 10, 2500, population=10) < 1e-8


def test_it_finds_the_best_minimum_of_rastrigin():
    """Three dimensions, 200 individuals, sigma 2: below 1e-3 in 6,000 evaluations."""
    assert run(rastrigin, 3, 6000, population=200, sigma=2.0) < 1e-3


def test_more_than_two_thousand_parameters_are_refused_with_who_takes_them():
    with usage_error("mismatch", subject="learner=cma", got="2,001"):
        learner("cma", Valley(), model=Vector(2001))


def test_without_the_library_it_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    with usage_error("missing_package", kind=Missing, feature="learner=cma"):
        learner("cma", Valley())
