"""Train every member of a small space and write what each is worth: the truth that searches are judged by.

    python benchmarks/exhaustive.py [--out FILE] [--seeds N] [--limit N] [KEY=VALUE]...

The space is macro_cnn with two layers, 6 * 6 * 2 = 72 members, on the digits with few labels, so that members differ by
more than noise. Rows are architecture, seed, accuracy on valid and on test after the last step (no selection), and
CPU seconds. Prints Kendall's tau between the means of two halves of the seeds: no search can rank better than that.
Members that are in the file already are not trained again.
"""

import argparse
import csv
import itertools
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from statistics import fmean

import torch
from scipy.stats import kendalltau

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dlcli.config import build, compose
from dlcli.core.space import Architecture, all_architectures
from dlcli.engine.fit import evaluate
from dlcli.nn.supernet.macro_space import MacroSpace

STEPS, LAYERS = 120, 2
PLAYER = "learner.players.model"
WORDS = (
    "macro_cnn",
    f"model.layers={LAYERS}",
    "task.labels=300",
    "task.batch=25",
    "lr=0.01",
    f"schedule@{PLAYER}.schedule=cosine",
    f"{PLAYER}.schedule.updates={STEPS}",
    "device=cpu",
    "threads=1",
)
COLUMNS = ("architecture", "seed", "valid_accuracy", "test_accuracy", "seconds")
FILE = Path("tests/data/exhaustive_digits.csv")


def train(words: Sequence[str], seed: int, architecture: Architecture) -> dict[str, str]:
    """One row."""
    torch.set_num_threads(1)
    begin = time.process_time()
    config = composed(tuple(words)).resolved(seed)
    config["model"]["architecture"] = list(architecture)
    built = build.build(config, torch.device("cpu"))
    for _ in range(STEPS):
        built.learner.step()
    valid, test = (evaluate(built.model, built.task, split)["accuracy"] for split in ("valid", "test"))
    name = "-".join(map(str, architecture))
    numbers = (f"{valid:.6f}", f"{test:.6f}", f"{time.process_time() - begin:.2f}")
    return dict(zip(COLUMNS, (name, str(seed), *numbers), strict=True))


@cache
def composed(words: tuple[str, ...]) -> compose.Point:
    (point,) = compose.expand("train", [*WORDS, *words])
    return point


def split_half(rows: list[dict[str, str]], column: str) -> float:
    """Mean Kendall tau between the means over two halves of the seeds, over all ways to halve them."""
    seeds = sorted({row["seed"] for row in rows})
    values: dict[str, dict[str, float]] = {}
    for row in rows:
        values.setdefault(row["architecture"], {})[row["seed"]] = float(row[column])
    full = [one for one in values.values() if len(one) == len(seeds)]
    halves = [half for half in itertools.combinations(seeds, len(seeds) // 2) if half and len(half) < len(seeds)]
    taus = []
    for half in halves:
        rest = [seed for seed in seeds if seed not in half]
        one, other = ([fmean(member[seed] for seed in part) for member in full] for part in (half, rest))
        taus.append(kendalltau(one, other).statistic)
    return fmean(taus) if taus else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=None, help="members, spread over the space")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("words", nargs="*")
    given = parser.parse_args()
    space = list(all_architectures(MacroSpace(LAYERS)))
    chosen = space if given.limit is None else space[:: -(-len(space) // given.limit)]
    rows = list(csv.DictReader(given.out.open())) if given.out.exists() else []
    done = {(row["architecture"], row["seed"]) for row in rows}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    asked = [
        (seed, one)
        for seed, one in itertools.product(range(given.seeds), chosen)
        if ("-".join(map(str, one)), str(seed)) not in done
    ]
    with given.out.open("a") as file, ProcessPoolExecutor(given.jobs) as pool:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not rows:
            writer.writeheader()
        for row in pool.map(partial(train, given.words), *zip(*asked, strict=True)) if asked else ():
            rows.append(row)
            writer.writerow(row)
            file.flush()
    for column in ("valid_accuracy", "test_accuracy"):
        means = sorted(fmean(float(row[column]) for row in rows if row["architecture"] == name) for name in names(rows))
        print(f"{column}: {means[0]:.4f} to {means[-1]:.4f}, median {means[len(means) // 2]:.4f}")
        print(f"  split-half Kendall tau {split_half(rows, column):.3f}")


def names(rows: list[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(row["architecture"] for row in rows))


if __name__ == "__main__":
    main()
