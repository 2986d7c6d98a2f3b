"""Recovery of a network's matrix from its flat sketches."""

import pytest
import torch
from torch import Tensor

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.network_recovery import known, recovered, unknown


def sparse_sketches(
    dimension: int, columns: int, active: int, samples: int, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Sparse attributes, a block-random matrix, and the sketches."""
    draw = torch.Generator().manual_seed(seed)
    indices = torch.rand(samples, columns, generator=draw).topk(active).indices
    x = torch.zeros(samples, columns).scatter_(1, indices, torch.rand(samples, active, generator=draw) + 0.1)
    x /= x.norm(dim=1, keepdim=True)
    R = Matrices("block", dimension, seed).attribute("m").apply(torch.eye(columns)).T
    return x, R, x @ R.T


def test_known_attributes_recover_the_matrix() -> None:
    x, R, s = sparse_sketches(256, 64, 3, 2000, 0)
    torch.testing.assert_close(known(x, s), R, atol=1e-5, rtol=0)
    with pytest.raises(UsageError) as error:
        known(x[:10], s[:10])
    assert (error.value.code, error.value.fields["got"]) == ("invalid_value", 10)


def test_unknown_attributes_recover_most_columns() -> None:
    shares = []
    for seed in range(3):
        _, R, s = sparse_sketches(256, 64, 3, 2000, seed)
        shares.append(recovered(unknown(s, 16), R))
    assert min(shares) >= 0.85


def test_recovered_columns_are_normalized() -> None:
    _, R, s = sparse_sketches(256, 64, 3, 2000, 0)
    columns = unknown(s, 16)
    products = (columns @ torch.nn.functional.normalize(R, dim=0)).amax(1)
    assert (products > 0.999).float().mean() > 0.9


def test_recovery_decreases_with_density() -> None:
    shares = [
        recovered(unknown(sparse_sketches(256, 64, active, 2000, 0)[2], 16), sparse_sketches(256, 64, active, 2, 0)[1])
        for active in (3, 10, 16)
    ]
    assert shares[0] > 0.9 > shares[1] > shares[2]


def test_recovery_tolerates_noise() -> None:
    _, R, s = sparse_sketches(256, 64, 3, 2000, 0)
    noise = torch.randn(s.shape, generator=torch.Generator().manual_seed(0))
    assert recovered(unknown(s + 5e-4 * noise, 16, tolerance=0.05), R) >= 0.85


def test_recovery_of_two_columns() -> None:
    """Two columns of two blocks; each is active alone twice, and its blocks are linked by their magnitude."""
    R = torch.tensor([[1.0, 1], [1, -1], [-1, 0], [1, 0]])
    x = torch.tensor([[0.3, 0], [0.5, 0], [0, 0.4], [0, 0.7], [0.2, 0.9]])
    columns = unknown(x @ R.T, 2)
    assert recovered(columns, R) == 1.0
    assert len(columns) == 2
    assert recovered(-columns, R) == 0.0


def test_recovery_without_pure_blocks_is_empty() -> None:
    assert len(unknown(torch.zeros(10, 64), 16)) == 0
    assert len(unknown(torch.randn(10, 64), 16)) == 0


def test_recovery_rejects_block_lengths() -> None:
    for block in (0, 5, 64):
        with pytest.raises(UsageError) as error:
            unknown(torch.zeros(10, 64), block)
        assert (error.value.code, error.value.fields["got"]) == ("invalid_value", block)
