"""The table of the space that was trained whole: complete, and with differences that are no noise."""

import csv
import sys
from pathlib import Path
from statistics import fmean

import pytest

from dlcli.core.space import members
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
    found = sorted((row["architecture"], row["seed"]) for row in ROWS)
    wanted = ("-".join(map(str, one)) for one in members(MacroSpace(2)))
    assert found == sorted((name, seed) for name in wanted for seed in "012")


def test_exhaustive_results_differ_by_more_than_noise(split_half):
    assert split_half(ROWS, "valid_accuracy") > 0.5
    values = [fmean(float(row["valid_accuracy"]) for row in ROWS[place::72]) for place in range(72)]
    assert max(values) - min(values) > 0.1


def test_kendall_tau_between_halves_matches_definition(split_half):
    """Seed a against b and the other way round: of three pairs of members two are in order, (2 - 1) / 3."""
    values = {"x": (1, 1), "y": (2, 3), "z": (3, 2)}
    rows = [
        {"architecture": name, "seed": str(seed), "v": str(one)}
        for name, pair in values.items()
        for seed, one in enumerate(pair)
    ]
    assert split_half(rows, "v") == pytest.approx(1 / 3)
