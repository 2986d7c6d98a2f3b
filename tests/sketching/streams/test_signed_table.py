"""CountSketch, fast-AMS and AMS are unbiased, with the variances that theory gives them."""

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.ams import AMS
from dlcli.sketching.streams.chunk import Chunk, keys_of
from dlcli.sketching.streams.signed_table import SignedTable

ITEMS = np.arange(40) - 20
COUNTS = torch.tensor([float(1 + (7 * i) % 13) for i in range(40)], dtype=torch.float64)
F2, F4 = float((COUNTS**2).sum()), float((COUNTS**4).sum())
SEEDS, WIDTH = 80, 16


@pytest.fixture(scope="module")
def tables():
    """80 tables of 60 independent rows."""
    made = [SignedTable(60, WIDTH, seed) for seed in range(SEEDS)]
    for table in made:
        table.add(keys_of(ITEMS), COUNTS)
    return made


def close(value, wanted, error):
    assert abs(value - wanted) < 4 * error, (value, wanted, error)


def test_count_sketch_is_unbiased_with_its_variance(tables):
    found = torch.cat([table.counts(keys_of(ITEMS)) for table in tables])
    variance = (F2 - COUNTS**2) / WIDTH
    assert ((found.mean(0) - COUNTS).abs() < 4.5 * (variance / len(found)).sqrt()).all()
    ratio = found.var(0) / variance
    assert ratio.sub(1).abs().max() < 0.25
    close(float(ratio.mean()), 1.0, 0.02)


def test_fast_ams_is_unbiased_with_its_variance(tables):
    found = torch.cat([table.second_moments() for table in tables])
    variance = 2 * (F2**2 - F4) / WIDTH
    close(float(found.mean()), F2, (variance / len(found)) ** 0.5)
    close(float(found.var()) / variance, 1.0, 0.05)


def test_ams_is_unbiased_with_its_variance():
    squares = []
    for seed in range(10):
        sketch = AMS(means=1, copies=600, seed=seed)
        sketch.update(Chunk(np.repeat(ITEMS, COUNTS.long().numpy())))
        squares.append(sketch.sums.square())
    found, variance = torch.cat(squares), 2 * (F2**2 - F4)
    close(float(found.mean()), F2, (variance / len(found)) ** 0.5)
    close(float(found.var()) / variance, 1.0, 0.06)
    assert found.var() <= 1.25 * 2 * F2**2


def test_signs_do_not_come_from_the_buckets(tables):
    """Of two items in one counter the signs agree half of the time."""
    keys = keys_of(ITEMS[:2])
    agree = []
    for table in tables:
        buckets, signs = table._buckets(keys), table._signs(keys)[0]
        index, sign = torch.empty_like(signs), torch.empty_like(signs)
        for row in range(60):
            table._place(row, buckets, signs, index, sign)
            if index[0] == index[1]:
                agree.append(float(sign[0] == sign[1]))
    assert len(agree) > 200
    close(sum(agree) / len(agree), 0.5, 0.5 / len(agree) ** 0.5)


def test_items_one_by_one_are_their_weights():
    table, other = SignedTable(5, 64, 3), SignedTable(5, 64, 3)
    table.add(keys_of(np.repeat(ITEMS, COUNTS.long().numpy())))
    other.add(keys_of(ITEMS), COUNTS)
    assert torch.equal(table.counters, other.counters)
    table.add(keys_of(ITEMS), -COUNTS)
    assert not table.counters.any()


@pytest.mark.parametrize("width", [1000, 1, 0])
def test_the_width_is_a_power_of_two(width):
    with pytest.raises(UsageError, match="power of two"):
        SignedTable(5, width, 0)
