"""Counter-based random numbers per sample: splitmix64, equidistribution, independence of the batch."""

import pytest
import torch

from dlcli.core.rng import _hashed, _signed, integers, normal, uniform

ROWS = torch.arange(20_000)


def splitmix(state):
    mask = (1 << 64) - 1
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


def test_uniform_is_splitmix64():
    words = [0, 1, 2**63, 2**64 - 1, 0x9E3779B97F4A7C15, 1234567890123456789]
    hashed = _hashed(torch.tensor([_signed(word) for word in words]))
    assert [value % 2**64 for value in hashed.tolist()] == [splitmix(word) for word in words]
    # the published first value of the stream of seed 0
    assert _hashed(torch.tensor([_signed(0x9E3779B97F4A7C15)])).item() % 2**64 == 0xE220A8397B1DCDAF


def test_uniform_row_depends_on_its_index_not_on_the_batch():
    order = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    rows = uniform(ROWS[:500], 7, 3, 1)
    assert torch.equal(uniform(order, 7, 3, 1), rows[order])
    assert torch.equal(uniform(ROWS[123:124], 7, 3, 1), rows[123:124])
    assert torch.equal(uniform(ROWS[:500], 3, 3, 1), rows[:, :3])


@pytest.mark.parametrize("words", [(), (4, 1), (3, 2), (1, 3), (3, 1, 0)])
def test_uniform_streams_of_different_keys_are_uncorrelated(words):
    first, second = uniform(ROWS, 2, 3, 1), uniform(ROWS, 2, *words)
    assert torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1].abs() < 0.02
    assert (first == second).sum() < 5


def test_uniform_is_equidistributed_over_rows_columns_and_pairs():
    drawn = uniform(ROWS, 6, 0, 0)
    assert 0 <= drawn.min() < 1e-3
    assert 0.999 < drawn.max() < 1
    for column in drawn.T:  # chi squared with 99 degrees of freedom: 180 is beyond six standard deviations
        counts = (column * 100).long().bincount(minlength=100).double()
        assert ((counts - 200) ** 2 / 200).sum() < 180
    for first, second in [(drawn[:, 0], drawn[:, 1]), (drawn[:-1, 0], drawn[1:, 0]), (drawn[:, 2], drawn[:, 5])]:
        cells = ((first * 10).long() * 10 + (second * 10).long()).bincount(minlength=100).double()
        expected = len(first) / 100
        assert ((cells - expected) ** 2 / expected).sum() < 180


def test_integers_cover_the_range_and_accept_bounds_per_row():
    drawn = integers(ROWS, 3, 10, 5)
    assert drawn.dtype == torch.int64
    assert (drawn.flatten().bincount(minlength=10) - 6000).abs().max() < 400
    ends = ROWS % 5 + 1
    own = integers(ROWS, 2, ends[:, None], 5)
    assert (own < ends[:, None]).all()
    assert (own[ends == 1] == 0).all()
    assert set(own[ends == 5].flatten().tolist()) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_normal_has_the_moments_of_a_standard_normal(count):
    drawn = normal(ROWS, count, 9)
    assert drawn.shape == (len(ROWS), count)
    moments = [drawn.mean(), drawn.square().mean(), drawn.pow(3).mean(), drawn.pow(4).mean()]
    torch.testing.assert_close(torch.stack(moments), torch.tensor([0.0, 1.0, 0.0, 3.0]), atol=0.2, rtol=0)
    if count > 1:
        assert torch.corrcoef(drawn.T)[0, 1:].abs().max() < 0.03
