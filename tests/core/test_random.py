"""Random streams as functions of integers and their order."""

import torch

from dlcli.core.rng import generator, hash_integers, reseed


def test_mix_matches_published_splitmix64():
    # Vigna's splitmix64.c, seeded with 0: the first output.
    assert hash_integers(0) == 0xE220A8397B1DCDAF
    assert hash_integers() == 0


def test_mix_depends_on_every_integer_and_their_order():
    keys = [(0,), (0, 0), (1, 0), (0, 1), (1,), (-1,), (0, 0, 0), (1 << 63,)]
    assert len({hash_integers(*some) for some in keys}) == len(keys)
    assert hash_integers(3, -7, 11) == hash_integers(3, -7, 11)


def test_mix_of_neighboring_integers_differs_in_half_of_the_bits():
    flips = [
        bin(hash_integers(seed, step) ^ hash_integers(seed, step + 1)).count("1")
        for seed in range(20)
        for step in range(50)
    ]
    assert 31 < sum(flips) / len(flips) < 33


def test_generator_is_seeded_and_leaves_global_state():
    before = torch.get_rng_state()
    first, same, other = (torch.rand(5, generator=generator(*keys)) for keys in ((4, 2), (4, 2), (2, 4)))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_reseed_determines_dropout():
    drawn = []
    for keys in ((1, 5), (1, 5), (1, 6)):
        reseed(torch.device("cpu"), *keys)
        drawn.append(torch.nn.functional.dropout(torch.ones(64), 0.5))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
