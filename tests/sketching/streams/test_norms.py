"""L1 by Cauchy projections, L2, and Johnson-Lindenstrauss."""

import math

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, keys_of
from dlcli.sketching.streams.jl import JL, distortion, project
from dlcli.sketching.streams.norms import Norms, cauchy
from dlcli.sketching.streams.sketch import Asked


def test_the_numbers_are_cauchy():
    found = cauchy(keys_of(np.arange(2000)), 50, 0).flatten()
    ranks = (found.atan() / math.pi + 0.5).sort().values
    uniform = (torch.arange(len(ranks)) + 0.5) / len(ranks)
    assert (ranks - uniform).abs().max() < 1.95 / math.sqrt(len(ranks))  # Kolmogorov's bound at 0.1 %
    assert found.isfinite().all()


def test_l1_of_a_vector_with_signs():
    vector = torch.randn(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    truth, found = float(np.abs(vector).sum()), []
    for seed in range(25):
        sketch = Norms(projections=400, rows=5, width=256, seed=seed)
        sketch.update(Chunk(vector, vector))
        found.append(sketch.estimates(Asked())[0])
    error = math.pi / 2 / math.sqrt(400)
    values = np.array([one.value for one in found]) / truth
    assert abs(values.mean() - 1) < 4 * error / 5
    assert 0.6 * error < values.std() < 1.4 * error
    assert sum(one.low <= truth <= one.high for one in found) >= 23


def test_l2_is_the_root_of_fast_ams():
    sketch = Norms(projections=8, rows=5, width=4096, seed=0)
    sketch.update(Chunk(np.repeat(np.arange(50), 3)))
    assert sketch.estimates(Asked())[1].value == pytest.approx(math.sqrt(450), rel=0.1)


def test_the_distance_of_two_streams():
    one, other = (JL(components=2048, seed=1) for _ in range(2))
    one.update(Chunk(np.repeat(np.arange(100), 5)))
    other.update(Chunk(np.repeat(np.arange(100), 2)))
    one.subtract(other)
    answer = one.estimates(Asked())[0]
    assert answer.low <= 30 <= answer.high  # 3 apart at each of 100
    assert answer.value == pytest.approx(30, rel=0.1)


def test_the_distortion_solves_its_equation():
    e = distortion(1000, 0.01)
    assert 2 * math.exp(-1000 * (e**2 / 4 - e**3 / 6)) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("how", ["dense", "srht"])
def test_lengths_and_inner_products_are_kept(how):
    x = torch.randn(40, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = project(x, 256, 0, how)
    k, lengths = 256, x.norm(dim=1)
    assert (y.norm(dim=1) / lengths - 1).abs().max() < 4 / math.sqrt(2 * k)
    wrong = (y @ y.T - x @ x.T) / lengths / lengths[:, None]
    assert wrong.abs().max() < 4.5 * math.sqrt(2 / k)
    seeds = torch.stack([project(x[:1], 64, seed, how).square().sum() for seed in range(200)])
    assert float(seeds.mean() / lengths[0] ** 2) == pytest.approx(1, abs=0.05)


def test_signs_come_before_the_hadamard_matrix():
    """A row of H would fall on one coordinate, which is kept by chance or lost."""
    row = torch.ones(1, 1024, dtype=torch.float64)
    lengths = torch.stack([project(row, 128, seed, "srht").norm() / 32 for seed in range(50)])
    assert (lengths - 1).abs().max() < 0.35


def test_no_more_coordinates_than_there_are():
    with pytest.raises(UsageError, match="not so many"):
        project(torch.zeros(1, 100), 129, 0, "srht")
