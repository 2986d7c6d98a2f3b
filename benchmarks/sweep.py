"""A sweep of short runs, two at a time against one at a time: whole commands, wall-clock time.

python benchmarks/sweep.py [--json] [--runs N] [--steps N] [--repeats N]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

GOAL = 0.6
WORDS = ("model=tcn", "threads=1", "eval_every=1000000")


def seconds(jobs: int, runs: int, steps: int) -> float:
    """Wall-clock time of a sweep over seeds."""
    with tempfile.TemporaryDirectory() as out:
        words = [*WORDS, f"steps={steps}", "--seeds", str(runs), "--jobs", str(jobs), "--out", out, "-q"]
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dlcli", "train", *words], check=True, capture_output=True)
        return time.perf_counter() - begin


def measure(runs: int, steps: int, repeats: int) -> dict[str, float | int]:
    """Medians, the commands taken in turns, and the ratio."""
    times = [(seconds(1, runs, steps), seconds(2, runs, steps)) for _ in range(repeats)]
    one, two = (statistics.median(column) for column in zip(*times, strict=True))
    return {
        "runs": runs, "steps": steps, "seconds_1": round(one, 2), "seconds_2": round(two, 2),
        "ratio": round(two / one, 3), "goal": GOAL,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--runs", type=int, default=16, help="runs of a sweep (16)")
    parser.add_argument("--steps", type=int, default=100, help="steps of a run (100)")
    parser.add_argument("--repeats", type=int, default=1, help="timed rounds (1)")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    row = measure(arguments.runs, arguments.steps, arguments.repeats)
    where = {
        "python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine(),
        "load_before": round(load, 2),
    }  # fmt: skip
    if arguments.json:
        print(json.dumps({**where, **row}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(f"{row['runs']} runs of {row['steps']} steps: {row['seconds_1']} s with --jobs 1, {row['seconds_2']} s with")
    print(f"--jobs 2, ratio {row['ratio']} (goal {row['goal']})")


if __name__ == "__main__":
    main()
