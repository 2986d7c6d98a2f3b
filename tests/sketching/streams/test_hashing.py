"""Polynomials over the field of a Mersenne prime: exact arithmetic and k-wise independence."""

from itertools import combinations, product

import pytest
import torch

from dlcli.sketching.streams.hashing import Polynomial

PRIME = (1 << 61) - 1


@pytest.mark.parametrize("independence", [2, 4])
def test_polynomial_equals_exact_integer_arithmetic(independence):
    hashed = Polynomial(3, independence, 5, "test")
    draw = torch.Generator().manual_seed(0)
    edges = [0, 1, 2, PRIME - 1, PRIME - 2, 1 << 60, (1 << 31) - 1, 1 << 31]
    keys = edges + torch.randint(0, PRIME, (500,), generator=draw).tolist()
    for row, values in zip(hashed.coefficients, hashed(torch.tensor(keys)).tolist(), strict=True):
        for key, value in zip(keys, values, strict=True):
            assert value == sum(c * pow(key, p, PRIME) for p, c in enumerate(reversed(row))) % PRIME


def test_polynomial_largest_coefficients_do_not_overflow():
    hashed = Polynomial(1, 4, 0, "test")
    hashed.coefficients = [[PRIME - 1] * 4]
    keys = [PRIME - 1, PRIME - 2, (1 << 60) - 1]
    expected = [-(k**3 + k**2 + k + 1) % PRIME for k in keys]
    assert hashed(torch.tensor(keys))[0].tolist() == expected


def test_polynomial_is_four_wise_independent_on_a_small_field():
    """Each of the 7**4 polynomials takes a different 4-tuple of values at four keys: independent and uniform."""
    hashed = Polynomial(7**4, 4, 0, "test", bits=3)
    hashed.coefficients = [list(row) for row in product(range(7), repeat=4)]
    values = hashed(torch.arange(7))
    assert values.min() == 0
    assert values.max() == 6
    for keys in combinations(range(7), 4):
        codes = (values[:, keys] * torch.tensor([343, 49, 7, 1])).sum(1)
        assert codes.unique().numel() == 7**4


def test_sign_moments_up_to_order_four_vanish():
    """Products of up to four signs have mean 0 over 60 bits of 100 polynomials."""
    signs = 1 - 2 * (
        (Polynomial(100, 4, 0, "test")(torch.tensor([3, 4, 5, 11]))[:, None] >> torch.arange(60)[:, None]) & 1
    )
    signs = signs.double()
    for size in (1, 2, 3, 4):
        for keys in combinations(range(4), size):
            assert abs(signs[:, :, keys].prod(2).mean()) < 4.5 / 6000**0.5


def test_polynomial_is_a_function_of_seed_and_role():
    assert Polynomial(1, 2, 0, "signs").coefficients == Polynomial(1, 2, 0, "signs").coefficients
    assert Polynomial(1, 2, 0, "signs").coefficients != Polynomial(1, 2, 1, "signs").coefficients
    assert Polynomial(1, 2, 0, "signs").coefficients != Polynomial(1, 2, 0, "buckets").coefficients
    assert Polynomial(1, 2, 0, "signs")(torch.tensor([1]))[0, 0].item() == 1130262157660547652
