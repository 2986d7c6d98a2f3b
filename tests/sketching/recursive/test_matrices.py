"""Random matrices: approximately isometric, mutually orthogonal, reproducible across processes."""

import logging
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.sketching.recursive import matrices as module
from dlcli.sketching.recursive.matrices import Matrices
from dlcli.sketching.recursive.operators import Hadamard, walsh_hadamard

KINDS = ["hadamard", "dense", "block"]
PRINTED = """
from hashlib import blake2b
from dlcli.sketching.recursive.matrices import Matrices
import torch
for kind in ("hadamard", "dense", "block"):
    values = Matrices(kind, 64, 5).attribute("tcn").apply(torch.eye(64)).numpy().tobytes()
    print(blake2b(values).hexdigest())
"""


def materialize(operator, dimension: int) -> torch.Tensor:
    return operator.apply(torch.eye(dimension)).T


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_preserve_inner_products(kind: str) -> None:
    """⟨Rx, Ry⟩ is ⟨x, y⟩ up to a few times 1/√d."""
    x = torch.nn.functional.normalize(torch.rand(50, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    y = Matrices(kind, 4096, 1).attribute("a").apply(x)
    assert y.shape == (50, 4096)
    errors = (y @ y.T - x @ x.T).abs()
    assert errors.max() < 6 / 4096**0.5
    assert errors.square().mean().sqrt() < 2.5 / 4096**0.5  # the variance of blocks is 1/q times larger


@pytest.mark.parametrize("kind", KINDS)
def test_different_matrices_are_mutually_orthogonal(kind: str) -> None:
    """⟨Rx, y⟩ and ⟨Rx, R'y⟩ are about 1/√d, for every pair of module, role and position."""
    matrices = Matrices(kind, 1024, 2)
    x = torch.nn.functional.normalize(torch.rand(64, generator=torch.Generator().manual_seed(3)), dim=0)
    operators = [matrices.object("a"), matrices.attribute("a"), matrices.signature("a"), matrices.attribute("b")]
    operators.append(matrices.position(0))
    rows = torch.stack([torch.nn.functional.pad(x, (0, 960)), *(operator.apply(x) for operator in operators)])
    products = rows @ rows.T
    off = products[~torch.eye(6, dtype=torch.bool)]
    assert products.diagonal().sub(1).abs().max() < 0.25
    assert off.abs().max() < 5 / 1024**0.5
    assert 0.4 / 1024**0.5 < off.square().mean().sqrt() < 2.0 / 1024**0.5


@pytest.mark.parametrize("kind", KINDS)
def test_operator_adjoint(kind: str) -> None:
    """⟨Rx, y⟩ = ⟨x, Rᵀy⟩, where x and y may be shorter than d."""
    draw = torch.Generator().manual_seed(0)
    operator = Matrices(kind, 256, 0).object("a")
    x = torch.randn(3, 2, 40, generator=draw, dtype=torch.float64)
    y = torch.randn(3, 2, 200, generator=draw, dtype=torch.float64)
    left = (operator.apply(x)[..., :200] * y).sum(-1)
    right = (x * operator.adjoint(y)[..., :40]).sum(-1)
    torch.testing.assert_close(left, right)


@pytest.mark.parametrize("dimension", [1, 2, 8, 128, 4096, 2**13])
def test_walsh_hadamard(dimension: int) -> None:
    """Its own inverse, with entries ±1/√d; small ones equal Sylvester's matrix."""
    x = torch.randn(3, dimension, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(walsh_hadamard(walsh_hadamard(x)), x)
    assert torch.allclose(walsh_hadamard(torch.eye(1, dimension)).abs(), torch.tensor(dimension**-0.5))
    if dimension == 8:
        signs = [[(-1) ** (i & j).bit_count() for j in range(8)] for i in range(8)]
        torch.testing.assert_close(walsh_hadamard(torch.eye(8)) * 8**0.5, torch.tensor(signs).float())


def test_hadamard_is_a_rotation() -> None:
    R = materialize(Matrices("hadamard", 64, 0).position(1), 64)
    torch.testing.assert_close(R.T @ R, torch.eye(64))
    assert isinstance(Matrices("hadamard", 64, 0).position(1), Hadamard)


def test_block_matrix() -> None:
    """A quarter of the blocks of a column is non-zero, with entries of equal magnitude."""
    R = materialize(Matrices("block", 512, 0, block=16, density=0.25).attribute("a"), 512)
    blocks = R.view(32, 16, 512)
    nonzero = blocks.abs().amax(1) > 0
    assert 0.23 < nonzero.float().mean() < 0.27
    size = (512 * 0.25) ** -0.5
    assert torch.equal(blocks.abs().amin(1), nonzero * blocks.abs().amax(1))
    torch.testing.assert_close(blocks.abs().amax(1)[nonzero], torch.full((int(nonzero.sum()),), size))


def test_matrices_are_equal_in_another_process() -> None:
    bits = [Matrices(kind, 64, 5).attribute("tcn").apply(torch.eye(64)).numpy().tobytes() for kind in KINDS]
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", PRINTED]
    digests = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout.split()
    assert [blake2b(each).hexdigest() for each in bits] == digests


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_depend_on_seed_module_and_role(kind: str) -> None:
    first, second = Matrices(kind, 32, 0), Matrices(kind, 32, 1)
    operators = [first.object("a"), first.attribute("a"), first.signature("a"), first.object("b"), first.position(0)]
    operators += [first.position(1), second.object("a"), second.position(0)]
    dense = torch.stack([materialize(operator, 32) for operator in operators])
    same = (dense.unsqueeze(0) == dense.unsqueeze(1)).all(-1).all(-1)
    assert torch.equal(same, torch.eye(len(operators), dtype=torch.bool))


def test_matrix_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHE_BYTES", 3 * 4 * 64 * 64)
    matrices = Matrices("dense", 64, 0)
    first = materialize(matrices.position(0), 64)
    for position in range(1, 6):
        matrices.position(position)
    assert len(matrices._cache) == 3
    assert torch.equal(materialize(matrices.position(0), 64), first)


def test_signature_vector_is_the_first_column() -> None:
    matrices = Matrices("dense", 64, 0)
    assert torch.equal(matrices.signature_vector("a"), materialize(matrices.signature("a"), 64)[:, 0])


def test_hadamard_dimension_is_rounded_up_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dlcli"):
        assert Matrices("hadamard", 1000, 0).dimension == 1024
    assert "1000" in caplog.text
    assert "1024" in caplog.text
    assert Matrices("dense", 1000, 0).dimension == 1000


def test_matrices_about() -> None:
    assert Matrices("hadamard", 64, 3).about() == {"kind": "hadamard", "dimension": 64, "seed": 3}
    assert Matrices("block", 64, 3).about()["block"] == 16


@pytest.mark.parametrize(
    ("kind", "dimension", "code", "field"),
    [
        ("hadamart", 64, "unknown_name", ("name", "hadamart")),
        ("dense", 0, "invalid_value", ("key", "dimension")),
        ("block", 100, "invalid_value", ("key", "block")),
    ],
)
def test_matrices_reject_invalid_arguments(kind: str, dimension: int, code: str, field: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as error:
        Matrices(kind, dimension, 0)
    assert error.value.code == code
    assert error.value.fields[field[0]] == field[1]
