"""Entropy from sampled positions of a stream, and the most frequent item that is counted separately."""

import math

import numpy as np
import pytest

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.entropy import Entropy
from dlcli.sketching.streams.most_frequent import MostFrequent
from dlcli.sketching.streams.sketch import ItemQuery


def true(values):
    share = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(share * np.log(share)).sum())


def estimate(values, seed=0, samples=2048, pieces=3):
    sketch = Entropy(samples=samples, seed=seed)
    for part in np.array_split(values, pieces):
        sketch.update(Chunk(part))
    return sketch.estimates(ItemQuery())[0]


def stream(seed, size=20_000, dominant=0.0):
    draw = np.random.default_rng(seed)
    values = draw.zipf(1.4, size) % 5000
    return np.where(draw.random(size) < dominant, -3, values)


def test_entropy_is_unbiased():
    values = stream(0)
    estimates = np.array([estimate(values, seed, samples=512).value for seed in range(60)])
    assert abs(estimates.mean() - true(values)) < 4 * estimates.std() / math.sqrt(60)


def test_entropy_standard_error_matches_spread_over_seeds():
    values = stream(1)
    estimates = [estimate(values, seed, samples=512) for seed in range(60)]
    reported = np.mean([(each.high - each.low) / 2 / 2.576 for each in estimates])
    assert 0.7 < np.std([each.value for each in estimates]) / reported < 1.4


@pytest.mark.parametrize("dominant", [0.9, 0.99])
def test_entropy_with_dominant_item(dominant):
    """With plain sampling nine positions in ten would be uninformative; the error is far smaller than that."""
    values = stream(2, 50_000, dominant)
    estimates = [estimate(values, seed) for seed in range(20)]
    errors = [each.value - true(values) for each in estimates]
    assert np.abs(errors).max() < 0.03 * true(values) + 0.004
    assert sum(each.low <= true(values) <= each.high for each in estimates) >= 19


def test_sampled_positions_are_uniform():
    """Positions of distinct items are equally likely, and the second position belongs to another item."""
    sketch = Entropy(samples=40_000, seed=0)
    for part in np.array_split(np.arange(100), 7):
        sketch.update(Chunk(part))
    shares = np.bincount(sketch._first.key // 2, minlength=100)  # keys are twice the numbers
    assert np.abs(shares - 400).max() < 5 * 20
    assert (sketch._second.key != sketch._first.key).all()
    assert (sketch._first.occurrences == 1).all()
    assert (sketch._first.label < sketch._second.label).all()


def test_occurrences_are_counted_from_the_sampled_position_on():
    values = np.array([5, 5, 8, 5, 8, 5, 9, 5])
    sketch = Entropy(samples=8000, seed=0)
    for part in (values[:3], values[3:4], values[4:]):
        sketch.update(Chunk(part))
    first = sketch._first
    for item, most in ((5, 5), (8, 2), (9, 1)):
        occurrences = first.occurrences[first.key == 2 * item]
        assert set(occurrences) == set(range(1, most + 1))
        assert np.abs(np.bincount(occurrences)[1:] - 1000).max() < 150
    fives = sketch._second.key[first.key == 10]
    assert set(fives) == {16, 18}
    assert abs((fives == 16).mean() - 2 / 3) < 0.03  # uniform over the positions of other items


def test_entropy_of_constant_and_distinct_streams():
    assert estimate(np.full(100, 7)).value == 0
    assert estimate(np.arange(100_000)).value == pytest.approx(math.log(100_000), rel=1e-6)


def test_entropy_does_not_merge():
    sketch, other = Entropy(samples=8, seed=0), Entropy(samples=8, seed=0)
    with pytest.raises(UsageError) as error:
        sketch.merge(other)
    assert (error.value.code, error.value.fields["feature"]) == ("unsupported", "merging")


def test_most_frequent_count_is_within_its_bounds():
    draw, most = np.random.default_rng(0), MostFrequent(50)
    values = np.where(draw.random(20_000) < 0.1, 1_000_000, draw.integers(0, 5000, 20_000))
    for part in np.array_split(values, 9):
        most.add(*np.unique(part, return_counts=True))
    truth = int((values == 1_000_000).sum())
    key, count = most.top()
    assert key == 1_000_000
    assert most.missing <= len(values) / 51
    assert abs(count - truth) <= most.missing / 2
