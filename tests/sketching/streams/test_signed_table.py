"""CountSketch, fast-AMS and AMS: unbiased, with the theoretical variances."""

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.ams import AMS
from dlcli.sketching.streams.chunk import Chunk, item_keys
from dlcli.sketching.streams.signed_table import SignedTable

ITEMS = np.arange(40) - 20
COUNTS = torch.tensor([float(1 + (7 * i) % 13) for i in range(40)], dtype=torch.float64)
F2, F4 = float((COUNTS**2).sum()), float((COUNTS**4).sum())
SEEDS, WIDTH = 80, 16


@pytest.fixture(scope="module")
def tables():
    """80 tables of 60 independent rows."""
    tables = [SignedTable(60, WIDTH, seed) for seed in range(SEEDS)]
    for table in tables:
        table.add(item_keys(ITEMS), COUNTS)
    return tables


def assert_close(value, expected, error):
    assert abs(value - expected) < 4 * error, (value, expected, error)


def test_count_sketch_bias_and_variance(tables):
    estimates = torch.cat([table.counts(item_keys(ITEMS)) for table in tables])
    variance = (F2 - COUNTS**2) / WIDTH
    assert ((estimates.mean(0) - COUNTS).abs() < 4.5 * (variance / len(estimates)).sqrt()).all()
    ratio = estimates.var(0) / variance
    assert ratio.sub(1).abs().max() < 0.25
    assert_close(float(ratio.mean()), 1.0, 0.02)


def test_fast_ams_bias_and_variance(tables):
    estimates = torch.cat([table.second_moments() for table in tables])
    variance = 2 * (F2**2 - F4) / WIDTH
    assert_close(float(estimates.mean()), F2, (variance / len(estimates)) ** 0.5)
    assert_close(float(estimates.var()) / variance, 1.0, 0.05)


def test_ams_bias_and_variance():
    squares = []
    for seed in range(10):
        sketch = AMS(means=1, copies=600, seed=seed)
        sketch.update(Chunk(np.repeat(ITEMS, COUNTS.long().numpy())))
        squares.append(sketch.sums.square())
    estimates, variance = torch.cat(squares), 2 * (F2**2 - F4)
    assert_close(float(estimates.mean()), F2, (variance / len(estimates)) ** 0.5)
    assert_close(float(estimates.var()) / variance, 1.0, 0.06)
    assert estimates.var() <= 1.25 * 2 * F2**2


def test_signs_are_independent_of_buckets(tables):
    """The signs of two colliding items agree half of the time."""
    keys = item_keys(ITEMS[:2])
    agree = []
    for table in tables:
        buckets, signs = table._buckets(keys), table._signs(keys)[0]
        index, sign = torch.empty_like(signs), torch.empty_like(signs)
        for row in range(60):
            table._locate(row, buckets, signs, index, sign)
            if index[0] == index[1]:
                agree.append(float(sign[0] == sign[1]))
    assert len(agree) > 200
    assert_close(sum(agree) / len(agree), 0.5, 0.5 / len(agree) ** 0.5)


def test_add_items_equals_add_weights():
    table, other = SignedTable(5, 64, 3), SignedTable(5, 64, 3)
    table.add(item_keys(np.repeat(ITEMS, COUNTS.long().numpy())))
    other.add(item_keys(ITEMS), COUNTS)
    assert torch.equal(table.counters, other.counters)
    table.add(item_keys(ITEMS), -COUNTS)
    assert not table.counters.any()


@pytest.mark.parametrize("width", [1000, 1, 0])
def test_signed_table_width_must_be_a_power_of_two(width):
    with pytest.raises(UsageError) as error:
        SignedTable(5, width, 0)
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "width")
