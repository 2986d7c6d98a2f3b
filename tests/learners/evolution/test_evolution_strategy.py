"""The estimate of the gradient, in closed form; where the strategy goes."""

import torch
from valley import Valley, Vector, learner, rastrigin, sphere

from dlcli.core.population import Genome
from dlcli.core.rng import normal_vector
from dlcli.learners.evolution.selection import Reward

A = torch.tensor([[2.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 3.0]])
B = torch.tensor([1.0, -2.0, 0.5])
AT = torch.tensor([0.3, 0.2, -0.5])


def quadratic(x):
    return -0.5 * x @ A @ x + B @ x


def estimate(pairs, sigma):
    made = learner("evolution_strategy", Valley(), model=Vector(3), sigma=sigma)
    genomes = [Genome((seed,), (sign * sigma,), 0) for seed in range(pairs) for sign in (1, -1)]
    worth = [quadratic(AT + one.sigmas[0] * normal_vector(one.seeds[0], 3)) for one in genomes]
    return made.gradient(genomes, torch.stack(worth).double())


def test_antithetic_gradient_equals_the_closed_form_on_a_quadratic():
    """The even part cancels in every pair: the mean of (slope . noise) noise is left, whatever sigma is."""
    slope = B - A @ AT
    noise = torch.stack([normal_vector(seed, 3) for seed in range(8)])
    closed = ((noise @ slope)[:, None] * noise).mean(0)
    for sigma in (0.05, 2.0):
        torch.testing.assert_close(estimate(8, sigma), closed, rtol=1e-4, atol=1e-4)


def test_the_gradient_of_many_pairs_is_the_slope():
    slope = B - A @ AT
    found = estimate(4000, 0.5)
    assert float((found - slope).norm() / slope.norm()) < 0.05


def test_a_pair_of_which_one_failed_is_left_out():
    made = learner("evolution_strategy", Valley(), model=Vector(3))
    genomes = [Genome((seed,), (sign * 0.2,), 0) for seed in (5, 6) for sign in (1, -1)]
    found = made.gradient(genomes, torch.tensor([0.5, torch.nan, 0.25, -0.25], dtype=torch.float64))
    torch.testing.assert_close(found, 0.5 / (2 * 0.2) * normal_vector(6, 3))


def asked(made, steps):
    found, plain = [], made.rater.rate

    class Spy:
        def rate(self, genomes, centres, batches):
            found.append((list(genomes), dict(centres)))
            return plain(genomes, centres, batches)

    made.rater = Spy()
    for _ in range(steps):
        made.step()
    return found


def test_pairs_are_mirrored_and_the_centre_is_rated_beside_them():
    for genomes, centres in asked(learner("evolution_strategy", Valley(), elite_batches=0), 2):
        assert len(genomes) == 21
        assert genomes[-1] == Genome((), (), 0)
        assert set(centres) == {0}
        for plus, minus in zip(genomes[:-1:2], genomes[1:-1:2], strict=True):
            assert plus.seeds == minus.seeds
            assert plus.sigmas == (0.2,)
            assert minus.sigmas == (-0.2,)
        assert len({one.seeds for one in genomes[:-1]}) == 10


def test_centres_have_their_turn_and_are_then_chosen_by_novelty():
    made = learner("ns_es", Valley(), elite_batches=0)
    turns = [genomes[-1].centre for genomes, _ in asked(made, 3)]
    assert turns == [0, 1, 2]
    far = made._behaviour[2] + 1000.0
    made._behaviour[2] = far
    chosen = []
    for generation in range(200):
        made.generation = generation
        chosen.append(made._select_centre())
    assert chosen.count(2) > 190
    assert len(made._score.state_dict()["archive"]) == 3


def test_without_novelty_centres_are_chosen_alike():
    made = learner("evolution_strategy", Valley(), meta_population=3, score=Reward())
    made._behaviour = [torch.zeros(2)] * 3
    chosen = []
    for generation in range(300):
        made.generation = generation
        chosen.append(made._select_centre())
    assert min(chosen.count(number) for number in range(3)) > 70


def fast(parameters):
    return torch.optim.Adam(parameters, lr=0.1)


def run(function, size, limit, **more):
    made = learner("evolution_strategy", Valley(function), model=Vector(size), **more)
    done = 0
    while done < limit:
        done += made.step().counts["evaluations"]
    return float(function(made.model.weight.detach()[0]))


def test_it_converges_on_the_sphere():
    """Ten dimensions, below 0.01 in 3,000 evaluations; it begins at about 10."""
    assert run(sphere, 10, 3000, population=20, sigma=0.05, optimizer=fast) < 0.01


def test_noise_wider_than_the_valleys_sees_through_rastrigin():
    """Two dimensions, sigma 0.5: below 0.5, in the basin of the best minimum, in 4,000 evaluations."""
    assert run(rastrigin, 2, 4000, population=50, sigma=0.5, optimizer=fast) < 0.5
