"""L1 by Cauchy projections, L2, and Johnson-Lindenstrauss projections."""

import math

import numpy as np
import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.sketching.streams.chunk import Chunk, item_keys
from dlcli.sketching.streams.jl import JL, distortion, project
from dlcli.sketching.streams.norms import Norms, cauchy
from dlcli.sketching.streams.sketch import ItemQuery


def test_cauchy_distribution():
    variates = cauchy(item_keys(np.arange(2000)), 50, 0).flatten()
    ranks = (variates.atan() / math.pi + 0.5).sort().values
    uniform = (torch.arange(len(ranks)) + 0.5) / len(ranks)
    assert (ranks - uniform).abs().max() < 1.95 / math.sqrt(len(ranks))  # Kolmogorov's bound at 0.1 %
    assert variates.isfinite().all()


def test_norms_l1_of_signed_vector():
    vector = torch.randn(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    truth, estimates = float(np.abs(vector).sum()), []
    for seed in range(25):
        sketch = Norms(projections=400, rows=5, width=256, seed=seed)
        sketch.update(Chunk(vector, vector))
        estimates.append(sketch.estimates(ItemQuery())[0])
    error = math.pi / 2 / math.sqrt(400)
    values = np.array([each.value for each in estimates]) / truth
    assert abs(values.mean() - 1) < 4 * error / 5
    assert 0.6 * error < values.std() < 1.4 * error
    assert sum(each.low <= truth <= each.high for each in estimates) >= 23


def test_norms_l2():
    sketch = Norms(projections=8, rows=5, width=4096, seed=0)
    sketch.update(Chunk(np.repeat(np.arange(50), 3)))
    assert sketch.estimates(ItemQuery())[1].value == pytest.approx(math.sqrt(450), rel=0.1)


def test_jl_distance_of_two_streams():
    sketch, other = (JL(components=2048, seed=1) for _ in range(2))
    sketch.update(Chunk(np.repeat(np.arange(100), 5)))
    other.update(Chunk(np.repeat(np.arange(100), 2)))
    sketch.subtract(other)
    estimate = sketch.estimates(ItemQuery())[0]
    assert estimate.low <= 30 <= estimate.high  # a difference of 3 at each of 100 items
    assert estimate.value == pytest.approx(30, rel=0.1)


def test_distortion_solves_its_equation():
    e = distortion(1000, 0.01)
    assert 2 * math.exp(-1000 * (e**2 / 4 - e**3 / 6)) == pytest.approx(0.01, rel=1e-6)


@pytest.mark.parametrize("how", ["dense", "srht"])
def test_project_preserves_norms_and_inner_products(how):
    x = torch.randn(40, 300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = project(x, 256, 0, how)
    k, lengths = 256, x.norm(dim=1)
    assert (y.norm(dim=1) / lengths - 1).abs().max() < 4 / math.sqrt(2 * k)
    errors = (y @ y.T - x @ x.T) / lengths / lengths[:, None]
    assert errors.abs().max() < 4.5 * math.sqrt(2 / k)
    seeds = torch.stack([project(x[:1], 64, seed, how).square().sum() for seed in range(200)])
    assert float(seeds.mean() / lengths[0] ** 2) == pytest.approx(1, abs=0.05)


def test_srht_applies_random_signs_first():
    """Without signs a row of H would be mapped to a single coordinate, which the subsampling may drop."""
    row = torch.ones(1, 1024, dtype=torch.float64)
    lengths = torch.stack([project(row, 128, seed, "srht").norm() / 32 for seed in range(50)])
    assert (lengths - 1).abs().max() < 0.35


def test_srht_limits_components():
    with pytest.raises(UsageError) as error:
        project(torch.zeros(1, 100), 129, 0, "srht")
    assert (error.value.code, error.value.fields["key"]) == ("invalid_value", "components")
