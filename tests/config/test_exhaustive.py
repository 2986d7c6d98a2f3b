"""Results of an exhaustively trained search space: complete, with differences larger than noise."""

import csv
import sys
from pathlib import Path
from statistics import fmean

import pytest

from dlcli.core.space import all_architectures
from dlcli.nn.supernet.macro_space import MacroSpace

ROOT = Path(__file__).resolve().parents[2]
ROWS = list(csv.DictReader((ROOT / "tests/data/exhaustive_digits.csv").open()))


@pytest.fixture
def split_half(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.exhaustive import split_half

    yield split_half
    sys.modules.pop("benchmarks.exhaustive", None)


def test_exhaustive_results_have_three_seeds_per_member():
    runs = sorted((row["architecture"], row["seed"]) for row in ROWS)
    names = ("-".join(map(str, member)) for member in all_architectures(MacroSpace(2)))
    assert runs == sorted((name, seed) for name in names for seed in "012")


def test_exhaustive_results_differ_by_more_than_noise(split_half):
    assert split_half(ROWS, "valid_accuracy") > 0.5
    values = [fmean(float(row["valid_accuracy"]) for row in ROWS[index::72]) for index in range(72)]
    assert max(values) - min(values) > 0.1


def test_kendall_tau_between_halves_matches_definition(split_half):
    """Seed 0 against seed 1 and vice versa: two of three pairs are concordant, (2 - 1) / 3."""
    values = {"x": (1, 1), "y": (2, 3), "z": (3, 2)}
    rows = [
        {"architecture": name, "seed": str(seed), "v": str(member)}
        for name, pair in values.items()
        for seed, member in enumerate(pair)
    ]
    assert split_half(rows, "v") == pytest.approx(1 / 3)
