"""Coverage of the intervals, and false-positive rate of the tests under the null hypothesis.

python benchmarks/coverage.py [--trials N]     (ten minutes with the 2,000 of docs/statistics.md)
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dlcli.report.statistics.hypothesis_tests import compare_arms, compare_pair, interval

Draw = Callable[[np.random.Generator, int], np.ndarray]
DRAWS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "log-normal": (lambda rng, n: rng.lognormal(size=n), math.exp(0.5)),
}
ARMS = 4


def coverage(draw: Draw, mean: float, kind: str, n: int, trials: int) -> float:
    """Share of samples of n whose 95 % interval holds the mean."""
    rng = np.random.default_rng(n)
    found = (interval(draw(rng, n), kind=kind) for _ in range(trials))
    return float(np.mean([each.low <= mean <= each.high for each in found]))


def null_arms(rng: np.random.Generator, draw: Draw, seeds: int, matched: bool) -> dict[str, dict[int, float]]:
    """Arms that differ by chance alone; matched ones share what a seed brings."""
    luck, first = (draw(rng, seeds), 0) if matched else (np.zeros(seeds), seeds)
    return {f"arm {k}": dict(enumerate(luck + draw(rng, seeds), k * first)) for k in range(ARMS)}


def false_alarms(draw: Draw, seeds: int, matched: bool, trials: int) -> list[float]:
    """Shares of trials with a p <= 0.05: one comparison; any of a family, by how its baseline was found."""
    rng, hits = np.random.default_rng(0), np.zeros(5)
    for _ in range(trials):
        arms = null_arms(rng, draw, seeds, matched)
        best = max(arms, key=lambda name: sum(arms[name].values()))
        families = (
            compare_arms(arms, "arm 0"),
            compare_arms(arms, "arm 0", all_pairs=True),
            compare_arms(arms, best),
            compare_arms(arms, best, picked=True),
        )
        one = compare_pair(arms["arm 0"], arms["arm 1"]).p <= 0.05
        hits += [one, *(any(pair.p_holm <= 0.05 for pair in family) for family in families)]
    return list(hits / trials)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2_000)
    trials = parser.parse_args().trials
    print(f"Coverage of the 95 % interval, {trials:,} trials a cell\n")
    print("| n | " + " | ".join(f"{name}, {kind}" for name in DRAWS for kind in ("t", "BCa")) + " |")
    print("| --- " * (1 + 2 * len(DRAWS)) + "|")
    for n in (3, 5, 10, 20, 30, 50):
        cells = [coverage(*DRAWS[name], kind, n, trials) for name in DRAWS for kind in ("t", "bca")]
        print(f"| {n} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |", flush=True)
    print(f"\nFalse alarms at 0.05, {trials:,} trials a row, {ARMS} equal arms\n")
    print("| values | one pair | against one named | all pairs | against the best | the best, `picked` |")
    print("| --- " * 6 + "|")
    for name, seeds, matched in (("normal", 8, True), ("log-normal", 8, True), ("normal", 6, False)):
        rates = false_alarms(DRAWS[name][0], seeds, matched, trials)
        words = f"{name}, {seeds} {'matched' if matched else 'other'} seeds"
        print(f"| {words} | " + " | ".join(f"{rate:.3f}" for rate in rates) + " |", flush=True)


if __name__ == "__main__":
    main()
