"""Nearly isometric, nearly at right angles to one another, and the same wherever they are made."""

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
from dlcli.sketching.recursive.operators import Hadamard, walsh

KINDS = ["hadamard", "dense", "block"]
PRINTED = """
from hashlib import blake2b
from dlcli.sketching.recursive.matrices import Matrices
import torch
for kind in ("hadamard", "dense", "block"):
    values = Matrices(kind, 64, 5).attribute("tcn").apply(torch.eye(64)).numpy().tobytes()
    print(blake2b(values).hexdigest())
"""


def whole(operator, dimension: int) -> torch.Tensor:
    return operator.apply(torch.eye(dimension)).T


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_and_angles_stay(kind: str) -> None:
    """⟨Rx, Ry⟩ is ⟨x, y⟩ up to a few times 1/√d."""
    x = torch.nn.functional.normalize(torch.rand(50, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    made = Matrices(kind, 4096, 1).attribute("a").apply(x)
    assert made.shape == (50, 4096)
    apart = (made @ made.T - x @ x.T).abs()
    assert apart.max() < 6 / 4096**0.5
    assert apart.square().mean().sqrt() < 2.5 / 4096**0.5  # blocks have more variance: 1/q of it


@pytest.mark.parametrize("kind", KINDS)
def test_what_went_through_different_matrices_is_at_right_angles(kind: str) -> None:
    """⟨Rx, y⟩ and ⟨Rx, R'y⟩ are about 1/√d, for every pair of module, role and position."""
    made = Matrices(kind, 1024, 2)
    x = torch.nn.functional.normalize(torch.rand(64, generator=torch.Generator().manual_seed(3)), dim=0)
    operators = [made.object("a"), made.attribute("a"), made.signature("a"), made.attribute("b"), made.position(0)]
    rows = torch.stack([torch.nn.functional.pad(x, (0, 960)), *(one.apply(x) for one in operators)])
    products = rows @ rows.T
    off = products[~torch.eye(6, dtype=torch.bool)]
    assert products.diagonal().sub(1).abs().max() < 0.25
    assert off.abs().max() < 5 / 1024**0.5
    assert 0.4 / 1024**0.5 < off.square().mean().sqrt() < 2.0 / 1024**0.5


@pytest.mark.parametrize("kind", KINDS)
def test_adjoint(kind: str) -> None:
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
    torch.testing.assert_close(walsh(walsh(x)), x)
    assert torch.allclose(walsh(torch.eye(1, dimension)).abs(), torch.tensor(dimension**-0.5))
    if dimension == 8:
        signs = [[(-1) ** (i & j).bit_count() for j in range(8)] for i in range(8)]
        torch.testing.assert_close(walsh(torch.eye(8)) * 8**0.5, torch.tensor(signs).float())


def test_hadamard_is_a_rotation() -> None:
    R = whole(Matrices("hadamard", 64, 0).position(1), 64)
    torch.testing.assert_close(R.T @ R, torch.eye(64))
    assert isinstance(Matrices("hadamard", 64, 0).position(1), Hadamard)


def test_blocks() -> None:
    """A quarter of the blocks of a column is there, with entries of one size."""
    R = whole(Matrices("block", 512, 0, block=16, density=0.25).attribute("a"), 512)
    blocks = R.view(32, 16, 512)
    there = blocks.abs().amax(1) > 0
    assert 0.23 < there.float().mean() < 0.27
    size = (512 * 0.25) ** -0.5
    assert torch.equal(blocks.abs().amin(1), there * blocks.abs().amax(1))
    torch.testing.assert_close(blocks.abs().amax(1)[there], torch.full((int(there.sum()),), size))


def test_equal_ones_are_equal_in_another_process() -> None:
    bits = [Matrices(kind, 64, 5).attribute("tcn").apply(torch.eye(64)).numpy().tobytes() for kind in KINDS]
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", PRINTED]
    there = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout.split()
    assert [blake2b(one).hexdigest() for one in bits] == there


@pytest.mark.parametrize("kind", KINDS)
def test_seed_module_and_role_make_another(kind: str) -> None:
    one, two = Matrices(kind, 32, 0), Matrices(kind, 32, 1)
    made = [one.object("a"), one.attribute("a"), one.signature("a"), one.object("b"), one.position(0)]
    made += [one.position(1), two.object("a"), two.position(0)]
    matrices = torch.stack([whole(operator, 32) for operator in made])
    same = (matrices.unsqueeze(0) == matrices.unsqueeze(1)).all(-1).all(-1)
    assert torch.equal(same, torch.eye(len(made), dtype=torch.bool))


def test_those_that_do_not_fit_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3 * 4 * 64 * 64)
    made = Matrices("dense", 64, 0)
    first = whole(made.position(0), 64)
    for place in range(1, 6):
        made.position(place)
    assert len(made._kept) == 3
    assert torch.equal(whole(made.position(0), 64), first)


def test_the_mark_is_the_first_column_of_the_signature() -> None:
    made = Matrices("dense", 64, 0)
    assert torch.equal(made.mark("a"), whole(made.signature("a"), 64)[:, 0])


def test_padded_to_a_power_of_two_and_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dlcli"):
        assert Matrices("hadamard", 1000, 0).dimension == 1024
    assert "1000" in caplog.text
    assert "1024" in caplog.text
    assert Matrices("dense", 1000, 0).dimension == 1000


def test_about() -> None:
    assert Matrices("hadamard", 64, 3).about() == {"kind": "hadamard", "dimension": 64, "seed": 3}
    assert Matrices("block", 64, 3).about()["block"] == 16


@pytest.mark.parametrize(
    ("kind", "dimension", "words"),
    [("hadamart", 64, 'did you mean "hadamard"'), ("dense", 0, "at least 1"), ("block", 100, "16 in 100")],
)
def test_refused(kind: str, dimension: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Matrices(kind, dimension, 0)
