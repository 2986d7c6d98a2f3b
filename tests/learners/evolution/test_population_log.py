"""What is written of a population."""

import torch
from valley import Pictured, Valley

from dlcli.core.population import Genome, Rating
from dlcli.learners.evolution.population_log import PopulationLog, genome_text


def rating(count, width=2, failed=0):
    fitness = torch.arange(count, dtype=torch.float64)
    fitness[:failed] = torch.nan
    return Rating(fitness, torch.ones(count, width), torch.ones(count, dtype=torch.int64))


def test_genomes_in_writing():
    assert genome_text(Genome((12,), ())) == "s12"
    assert genome_text(Genome((12, 34), (0.1,))) == "s12+0.1*s34"
    assert genome_text(Genome((34,), (-0.5,), 0)) == "c0-0.5*s34"
    assert genome_text(Genome((), (), 7)) == "c7"
    assert genome_text(Genome((1, 2, 3, 4), (0.1, 0.1, 0.2))) == "[3]+0.2*s4"


def test_the_table_has_at_most_eight_numbers_of_behaviour():
    made = PopulationLog(Valley())
    made.add(0, [Genome((1,), ())] * 2, [None, 4], rating(2, width=30))
    table = made.leave()["population"]
    assert table.columns[5:] == [f"b{number}" for number in range(8)]
    assert table.rows[1] == [0, 1, "s1", 4, 1.0, *[1.0] * 8]
    assert made.leave() == {}


def test_the_picture_has_a_bounded_number_of_points_without_the_failed():
    made, genomes = PopulationLog(Pictured()), [Genome((1,), ())] * 3000
    made.add(0, genomes, [None] * 3000, rating(3000, failed=1000))
    assert made.leave()["final_positions"].pixels.tolist() == [[2000.0, 0.0]]
    for generation in range(1, 40):
        made.add(generation, genomes, [None] * 3000, rating(3000))
        count, last = made.leave()["final_positions"].pixels[0].tolist()
        assert count <= 20_000
        assert last == generation
    shown = made.state_dict()["generation"].bincount()
    assert shown[2:].max() <= 2 * shown[2:].min()
