"""Entropy from places of a stream, and the most frequent item that it sets apart."""

import math

import numpy as np
import pytest

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk
from dlcli.sketching.streams.entropy import Entropy
from dlcli.sketching.streams.most_frequent import MostFrequent
from dlcli.sketching.streams.sketch import Asked


def true(values):
    share = np.unique(values, return_counts=True)[1] / len(values)
    return float(-(share * np.log(share)).sum())


def estimate(values, seed=0, samples=2048, pieces=3):
    sketch = Entropy(samples=samples, seed=seed)
    for part in np.array_split(values, pieces):
        sketch.update(Chunk(part))
    return sketch.estimates(Asked())[0]


def stream(seed, size=20_000, dominant=0.0):
    draw = np.random.default_rng(seed)
    values = draw.zipf(1.4, size) % 5000
    return np.where(draw.random(size) < dominant, -3, values)


def test_it_is_right_in_the_mean_over_seeds():
    values = stream(0)
    found = np.array([estimate(values, seed, samples=512).value for seed in range(60)])
    assert abs(found.mean() - true(values)) < 4 * found.std() / math.sqrt(60)


def test_the_standard_error_is_that_of_many_seeds():
    values = stream(1)
    answers = [estimate(values, seed, samples=512) for seed in range(60)]
    told = np.mean([(one.high - one.low) / 2 / 2.576 for one in answers])
    assert 0.7 < np.std([one.value for one in answers]) / told < 1.4


@pytest.mark.parametrize("dominant", [0.9, 0.99])
def test_one_dominant_item_does_not_hide_the_rest(dominant):
    """Plainly sampled, nine places in ten would say next to nothing: the error is far below that of all places."""
    values = stream(2, 50_000, dominant)
    found = [estimate(values, seed) for seed in range(20)]
    wrong = [one.value - true(values) for one in found]
    assert np.abs(wrong).max() < 0.03 * true(values) + 0.004
    assert sum(one.low <= true(values) <= one.high for one in found) >= 19


def test_places_are_uniform_and_count_what_follows():
    """Of distinct items each place is as likely; where an item fills a chunk, the second place is another item's."""
    sketch = Entropy(samples=40_000, seed=0)
    for part in np.array_split(np.arange(100), 7):
        sketch.update(Chunk(part))
    shares = np.bincount(sketch._first.key // 2, minlength=100)  # keys are twice the numbers
    assert np.abs(shares - 400).max() < 5 * 20
    assert (sketch._second.key != sketch._first.key).all()
    assert (sketch._first.seen == 1).all()
    assert (sketch._first.label < sketch._second.label).all()


def test_what_is_counted_are_the_occurrences_from_a_place_on():
    values = np.array([5, 5, 8, 5, 8, 5, 9, 5])
    sketch = Entropy(samples=8000, seed=0)
    for part in (values[:3], values[3:4], values[4:]):
        sketch.update(Chunk(part))
    first = sketch._first
    for item, most in ((5, 5), (8, 2), (9, 1)):
        seen = first.seen[first.key == 2 * item]
        assert set(seen) == set(range(1, most + 1))
        assert np.abs(np.bincount(seen)[1:] - 1000).max() < 150
    fives = sketch._second.key[first.key == 10]
    assert set(fives) == {16, 18}
    assert abs((fives == 16).mean() - 2 / 3) < 0.03  # uniform over the places that are no 5


def test_a_single_item_has_none_and_distinct_ones_have_the_logarithm():
    assert estimate(np.full(100, 7)).value == 0
    assert estimate(np.arange(100_000)).value == pytest.approx(math.log(100_000), rel=1e-6)


def test_two_cannot_be_merged():
    one, other = Entropy(samples=8, seed=0), Entropy(samples=8, seed=0)
    with pytest.raises(UsageError, match="do not merge"):
        one.merge(other)


def test_counters_never_say_too_much_and_miss_little():
    draw, most = np.random.default_rng(0), MostFrequent(50)
    values = np.where(draw.random(20_000) < 0.1, 1_000_000, draw.integers(0, 5000, 20_000))
    for part in np.array_split(values, 9):
        most.add(*np.unique(part, return_counts=True))
    truth = int((values == 1_000_000).sum())
    key, count = most.top()
    assert key == 1_000_000
    assert most.missing <= len(values) / 51
    assert abs(count - truth) <= most.missing / 2
