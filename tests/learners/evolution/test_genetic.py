"""Truncation: children come from the best, by one mutation; the elite stays."""

from itertools import pairwise

import torch
from valley import Lucky, Pictured, Valley, Vector, learner, rastrigin

from dlcli.core.population import ParameterLayout
from dlcli.learners.evolution.decoder import Decoder, initial
from dlcli.learners.evolution.elite import genome_from_plain


def spy(made):
    """What the learner rates, call by call."""
    asked, plain = [], made.rater.rate

    class Spy:
        def rate(self, genomes, centres, batches):
            rating = plain(genomes, centres, batches)
            asked.append((list(genomes), rating))
            return rating

    made.rater = Spy()
    return asked


def test_children_are_one_mutation_away_from_the_best_and_the_elite_stays():
    made = learner("genetic", Valley(), elite_batches=0)
    asked = spy(made)
    for _ in range(4):
        made.step()
    for (before, rating), (after, _) in pairwise(asked):
        best = [before[number] for number in rating.fitness.argsort(descending=True)[:5]]
        assert after[0] == best[0]
        for child in after[1:]:
            assert child.sigmas[-1] == 0.2
            assert (child.seeds[:-1], child.sigmas[:-1]) in [(one.seeds, one.sigmas) for one in best]
        assert len(set(after)) == 20


def test_parents_in_the_table_are_those_in_the_genome():
    made = learner("genetic", Pictured(), elite_batches=0)
    asked = spy(made)
    for _ in range(4):
        made.step()
    for generation, number, _, parent, fitness, *_ in made.leave()["population"].rows:
        genomes, rating = asked[generation]
        assert fitness == float(rating.fitness[number])
        if generation == 0:
            assert parent == ""
            continue
        own, origin = genomes[number], asked[generation - 1][0][parent]
        assert own == origin if number == 0 else own.seeds[:-1] == origin.seeds


def test_the_elite_is_rebuilt_from_its_seeds():
    made = learner("genetic", Valley())
    for _ in range(8):
        made.step()
    model = Vector()
    layout = ParameterLayout(model)
    kept = genome_from_plain(made.state_dict()["elite"]["genome"])
    layout.load(model, Decoder(layout, *initial(model, layout, 1.0)).decode(kept, {}))
    assert torch.equal(model.weight, made.model.weight)


def test_the_elite_of_a_noisy_task_is_better_than_the_luckiest():
    """Luck has deviation 3.5: the mean of 30 further batches sees through it, the best of one batch does not."""
    worth = {}
    for batches in (0, 30):
        found = []
        for seed in range(6):
            made = learner("genetic", Lucky(), seed=seed, population=100, candidates=10, elite_batches=batches)
            for _ in range(3):
                row = made.step()
            found.append(-float(Valley().function(made.model.weight.detach()[0])))
        worth[batches] = sum(found) / len(found)
        told = float(row.values["fitness_best"])
        assert abs(told - found[-1]) < 2.5 if batches else told - found[-1] > 2.5
    assert worth[30] > worth[0]


def test_novelty_does_not_follow_reward():
    """Behaviour is where it is; the novel spread out, the rewarded gather."""
    spread = {}
    for name in ("genetic", "novelty"):
        made = learner(name, Valley())
        asked = spy(made)
        for _ in range(15):
            row = made.step()
        spread[name] = float(asked[-1 if len(asked[-1][0]) == 20 else -2][1].behaviour.std(0).mean())
    assert spread["novelty"] > 2 * spread["genetic"]
    assert float(row.values["archive"]) > 0


def test_it_climbs_out_of_rastrigins_valleys():
    """Two dimensions: below 0.1, nearer than any local minimum, in 5,000 evaluations."""
    made = learner("genetic", Valley(rastrigin), model=Vector(2), population=100, parents=20, sigma=0.3)
    done = 0
    while done < 5000:
        done += made.step().counts["evaluations"]
    assert float(rastrigin(made.model.weight.detach()[0])) < 0.1
