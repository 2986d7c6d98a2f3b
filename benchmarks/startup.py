"""How long the verbs that only read take to answer: whole processes, medians.

python benchmarks/startup.py [--json] [--repeats N]
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
from pathlib import Path

GOALS = {("--help",): 0.35, ("list", "models"): 0.35, ("list", "recipes"): 0.35, ("config",): 0.8}
SCRIPT = Path(sys.executable).with_name("dlcli")


def seconds(words: tuple[str, ...], folder: str) -> float:
    """Wall-clock time of the console script."""
    begin = time.perf_counter()
    subprocess.run([SCRIPT, *words], check=True, capture_output=True, cwd=folder)
    return time.perf_counter() - begin


def measure(repeats: int) -> list[dict[str, str | float]]:
    """One row a command; the commands are taken in turns, after one round that fills the file cache."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = [[seconds(words, folder) for words in GOALS] for _ in range(repeats + 1)][1:]
    return [
        {
            "name": " ".join(["dlcli", *words]),
            "seconds": round(statistics.median(column), 3),
            "least": round(min(column), 3),
            "goal": goal,
        }
        for (words, goal), column in zip(GOALS.items(), zip(*rounds, strict=True), strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=9, help="timed rounds (9)")
    arguments = parser.parse_args()
    rows = measure(arguments.repeats)
    where = {"python": platform.python_version(), "cores": os.cpu_count(), "machine": platform.machine()}
    if arguments.json:
        print(json.dumps({**where, "rows": rows}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(f"{'name':<24}{'seconds':>9}{'least':>9}{'goal':>7}")
    for row in rows:
        print(f"{row['name']:<24}{row['seconds']:>9}{row['least']:>9}{row['goal']:>7}")


if __name__ == "__main__":
    main()
