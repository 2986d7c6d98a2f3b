"""Genomes decode to the same bits everywhere, cheaply, whatever is kept."""

import subprocess
import sys
import tracemalloc

import pytest
import torch
from torch import nn

from dlcli.core.population import Genome, ParameterLayout
from dlcli.core.rng import normal_vector
from dlcli.learners.evolution import decoder as module
from dlcli.learners.evolution.decoder import Decoder, initial


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 3)
    )


def decoder(model, **more):
    layout = ParameterLayout(model)
    return Decoder(layout, *initial(model, layout, 0.1), **more)


def long():
    return Genome((2**64 - 1, 12, 13, 14), (0.1, -0.25, 0.002))


SOURCE = """
import hashlib, torch
from torch import nn
from dlcli.core.population import Genome, ParameterLayout
from dlcli.learners.evolution.decoder import Decoder, initial
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(300, 40), nn.Linear(40, 3))
layout = ParameterLayout(model)
vector = Decoder(layout, *initial(model, layout, 0.1)).decode(Genome((2**64 - 1, 12, 13, 14), (0.1, -0.25, 0.002)), {})
print(hashlib.sha256(vector.numpy().tobytes()).hexdigest())
"""


def test_another_process_makes_the_same_bits():
    here = {}
    exec(SOURCE.replace("print(", "found = ("), here)
    other = subprocess.run([sys.executable, "-c", SOURCE], capture_output=True, text=True, check=True).stdout.strip()
    assert other == here["found"]


def test_initial_parameters_are_scaled_by_fan_in_and_biases_are_zero():
    model = network()
    with torch.no_grad():
        model[1].weight.fill_(0.7)
    layout = ParameterLayout(model)
    noise = layout.stack(normal_vector(5, layout.size)[None])
    made = layout.stack(decoder(model).decode(Genome((5,), ()), {})[None])
    torch.testing.assert_close(made["0.weight"], noise["0.weight"] / 18**0.5)
    torch.testing.assert_close(made["4.weight"], noise["4.weight"] / 4)
    torch.testing.assert_close(made["6.weight"], noise["6.weight"] / 8**0.5 * 0.1)
    assert all(made[name].eq(0).all() for name in made if name.endswith("bias"))
    assert made["1.weight"].eq(torch.tensor(0.7)).all()


def test_a_mutation_moves_all_parameters_by_sigma_times_noise():
    made = decoder(network())
    before, after = (made.decode(one, {}) for one in (Genome((5,), ()), Genome((5, 6), (0.3,))))
    torch.testing.assert_close(after - before, 0.3 * normal_vector(6, made.size), atol=1e-6, rtol=0)


def test_mirrored_children_of_a_centre_lie_on_both_sides():
    made, centre = decoder(network()), {3: torch.arange(247.0)}
    assert made.size == 247
    both = [made.decode(Genome((6,), (sign * 0.5,), 3), centre) for sign in (1, -1)]
    torch.testing.assert_close(sum(both) / 2, centre[3])
    assert torch.equal(made.decode(Genome((), (), 3), centre), centre[3])


def test_what_is_kept_changes_no_bit():
    warm, cold, tight = decoder(network()), decoder(network()), decoder(network(), room=0)
    chain = [Genome((1,), ())]
    for number in range(6):
        chain.append(chain[-1].child(100 + number, 0.1))
    for one in chain:
        warm.decode(one, {})
    for one in reversed(chain):
        for other in (tight, warm):
            assert torch.equal(other.decode(one, {}), cold.decode(one, {}))


def test_the_child_of_a_kept_parent_costs_one_draw(monkeypatch):
    made, draws = decoder(network()), []
    monkeypatch.setattr(module, "normal_vector", lambda seed, size: draws.append(seed) or normal_vector(seed, size))
    parent = long()
    made.decode(parent.child(50, 0.1), {})
    assert draws == [2**64 - 1, 12, 13, 14, 50]
    draws.clear()
    made.decode(parent.child(51, 0.1), {})
    made.decode(parent.child(52, 0.1), {})
    assert draws == [51, 52]


def test_vectors_fit_the_room_and_the_least_used_goes_first():
    made = decoder(network(), room=3 * 4 * 247)
    for seed in (1, 2, 3, 1, 4):
        made.decode(Genome((seed, 9), (0.1,)), {})
    assert [one.seeds[0] for one in made._cache] == [3, 1, 4]


def test_a_thousand_genomes_take_little_memory():
    tracemalloc.start()
    parents = [Genome(tuple(range(2**60, 2**60 + 51)), (0.1,) * 50) for _ in range(20)]
    children = [parents[number % 20].child(2**61 + number, 0.1) for number in range(1000)]
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(children) == 1000
    assert taken < 2e6


def test_sigmas_and_seeds_must_match():
    with pytest.raises(ValueError, match="1 mutations"):
        Genome((1, 2), ())
