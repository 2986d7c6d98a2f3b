"""SNES: utilities, and where it goes."""

import torch
from valley import Valley, Vector, learner, rastrigin, sphere

from dlcli.learners.evolution.snes import utilities


def test_utilities_of_four():
    """ln 3, ln 3 - ln 2, 0, 0 over their sum, less a quarter."""
    wanted = torch.tensor([0.7304226, 0.2695774, 0.0, 0.0]).double() - 0.25
    torch.testing.assert_close(utilities(4), wanted, atol=1e-6, rtol=0)
    assert abs(float(utilities(31).sum())) < 1e-12


def run(function, size, limit, **more):
    made = learner("snes", Valley(function), model=Vector(size), **more)
    done = 0
    while done < limit:
        done += made.step().counts["evaluations"]
    return float(function(made.model.weight.detach()[0]))


def test_it_converges_on_the_sphere():
    """Five dimensions, below 1e-6 in 2,000 evaluations."""
    assert run(sphere, 5, 2000, population=12, elite_batches=0) < 1e-6


def test_a_wide_start_finds_the_best_minimum_of_rastrigin():
    """Two dimensions, 60 individuals, sigma 2: below 1e-3 in 4,000 evaluations."""
    assert run(rastrigin, 2, 4000, population=60, sigma=2.0, elite_batches=0) < 1e-3


def test_deviations_grow_where_the_slope_is_far_and_shrink_at_the_top():
    made = learner("snes", Valley(lambda x: -x[:, 0] + x[:, 1].square() * 100), model=Vector(2), population=50)
    for _ in range(20):
        made.step()
    deviation = made.state_dict()["memory"]["deviation"]
    assert deviation[0] > 0.5 > 5 * deviation[1]
