"""The elite is the one that is good again, not the luckiest of one batch."""

import torch

from dlcli.core.population import Genome, Rating
from dlcli.learners.evolution.elite import EliteSelection


def generation(fitness):
    fitness = torch.tensor(fitness, dtype=torch.float64)
    return Rating(fitness, torch.zeros(len(fitness), 1), torch.ones(len(fitness), dtype=torch.int64))


GENOMES = [Genome((number,), ()) for number in range(5)]
TRUE = {0: 1.0, 1: 5.0, 2: 3.0, 3: 4.0, 4: 9.0}
ASKED = []


def rate(genomes, centres, batches):
    """What they are worth in truth."""
    ASKED.append(([one.seeds[0] for one in genomes], list(batches)))
    return generation([TRUE[one.seeds[0]] for one in genomes])


def test_the_luckiest_loses_to_the_one_that_is_good_again():
    election = EliteSelection(3, 4)
    ASKED.clear()
    assert election.hold(6, GENOMES, {}, generation([100.0, 6.0, 7.0, 8.0, 2.0]), rate)
    batches = [2**32 + 24 + number for number in range(4)]
    assert ASKED[-1] == ([0, 3, 2], batches)
    assert election.elite.genome == GENOMES[3]
    assert election.elite.fitness == 4.0


def test_the_elite_before_competes_on_the_same_new_batches():
    election = EliteSelection(2, 1)
    election.hold(0, GENOMES, {}, generation([0.0, 0.0, 0.0, 9.0, 8.0]), rate)
    assert election.elite.genome == GENOMES[4]
    ASKED.clear()
    assert not election.hold(1, GENOMES, {}, generation([3.0, 2.0, 1.0, 0.0, 4.0]), rate)
    assert ASKED == [([4, 0, 1], [2**32 + 1])]
    TRUE[4] = 2.0
    try:
        assert election.hold(2, GENOMES, {}, generation([3.0, 2.0, 1.0, 0.0, 4.0]), rate)
        assert (election.elite.genome, election.elite.fitness) == (GENOMES[1], 5.0)
    finally:
        TRUE[4] = 9.0


def test_one_that_fails_when_it_is_rated_again_does_not_win():
    def fails(genomes, centres, batches):
        return generation([torch.nan if one.seeds[0] == 3 else 0.0 for one in genomes])

    election = EliteSelection(2, 1)
    election.hold(0, GENOMES, {}, generation([torch.nan, 1.0, 2.0, 3.0, torch.nan]), fails)
    assert election.elite.genome == GENOMES[2]


def test_without_batches_the_generation_is_believed():
    election = EliteSelection(1, 0)
    election.hold(0, GENOMES, {}, generation([1.0, 3.0, 2.0, 0.0, 0.0]), rate)
    assert not election.hold(1, GENOMES, {}, generation([0.0, 0.0, 3.0, 0.0, 0.0]), rate)
    assert (election.elite.genome, election.elite.fitness) == (GENOMES[1], 3.0)


def test_an_elite_keeps_the_vector_it_starts_from():
    centres = {0: torch.ones(3)}
    genomes = [Genome((7,), (0.5,), 0)]

    def found(genomes, given, batches):
        assert all(torch.equal(given[one.centre], kept) for one, kept in zip(genomes, wanted, strict=True))
        return generation([1.0] * len(genomes))

    election, wanted = EliteSelection(1, 1), [torch.ones(3)]
    election.hold(0, genomes, centres, generation([1.0]), found)
    centres[0].add_(1)
    wanted = [torch.ones(3), torch.full((3,), 2.0)]
    election.hold(1, genomes, centres, generation([2.0]), found)
    assert torch.equal(election.elite.centres[election.elite.genome.centre], torch.ones(3))


def test_the_state_is_the_elite():
    election, other = EliteSelection(1, 0), EliteSelection(1, 0)
    other.load_state_dict(election.state_dict())
    assert other.elite is None
    election.hold(0, [Genome((2**64 - 1, 5), (0.1,))], {}, generation([1.0]), rate)
    other.load_state_dict(election.state_dict())
    assert other.elite == election.elite
