"""Processor time of `dlcli show` of a run with 1,000,000 rows in metrics.csv, against pandas.read_csv of the file.

Goal: at most 2 times as much. Both run in one process, in turns, without imports. Usage: benchmarks/show.py
"""

import argparse
import contextlib
import io
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas

from benchmarks.compare import METRICS, make
from dlcli.commands import show

GOAL = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        make(out, 1, 2)
        (path,) = out.rglob("metrics.csv")
        write(path, asked.rows)
        print(f"metrics.csv: {asked.rows:,} rows, {path.stat().st_size / 1e6:.1f} MB")
        report(path, out, asked.rounds)


def write(path: Path, rows: int) -> None:
    """Rows of five metrics, as training logs them."""
    draw, count = random.Random(0), len(METRICS)
    with path.open("w") as file:
        file.write("step,split,metric,value\n")
        for number in range(rows // count):
            value = 1 / (1 + number) + 0.01 * draw.random()
            file.writelines(f"{50 * number},{split},{name},{value * 1.1!r}\n" for split, name in METRICS)


def report(path: Path, out: Path, rounds: int) -> None:
    """Print the medians of both and their ratio."""

    def shown() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            show.main("last", out, None, False)

    taken: dict[str, list[float]] = {"pandas.read_csv": [], "dlcli show": []}
    for _ in range(rounds + 1):
        taken["pandas.read_csv"].append(seconds(lambda: pandas.read_csv(path)))
        taken["dlcli show"].append(seconds(shown))
    medians = {name: statistics.median(several[1:]) for name, several in taken.items()}
    for name, median in medians.items():
        print(f"{name:16} {median:6.3f} s")
    print(f"ratio {medians['dlcli show'] / medians['pandas.read_csv']:.2f}, goal {GOAL}")


def seconds(call: Callable[[], object]) -> float:
    """Processor time of a call in seconds."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
