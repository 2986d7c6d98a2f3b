"""Time and memory of read_table against pandas.read_csv on a generated file.

Each reader runs in a process of its own; the peer is `pandas.read_csv(path)`. Limits: 2.5 times its seconds and 3 times
its peak memory beyond the import of pandas.

    python benchmarks/read_table.py [--smoke]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

TIME, MEMORY = 2.5, 3.0
_MIB = 1024  # KiB


def write_file(path: Path, rows: int, columns: int) -> None:
    """A date, a text column, and numeric columns up to the given number."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(rows, columns - 2)).round(5), columns=[f"x{i}" for i in range(columns - 2)])
    frame.insert(0, "date", pd.date_range("2000-01-01", periods=rows, freq="min").strftime("%Y-%m-%d %H:%M"))
    frame.insert(1, "city", np.array(["Oslo", "Rome", "Bern"])[rng.integers(0, 3, rows)])
    frame.to_csv(path, index=False)


def measure(reader: str, path: str) -> dict[str, float]:
    """Seconds and additional peak memory in MiB of one reader, in this process."""
    from dlcli.data.table import read_table

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    frame = read_table(path) if reader == "read_table" else pd.read_csv(path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "memory": (peak - before) / _MIB, "rows": len(frame)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="10,000 rows, no limits")
    parser.add_argument("--measure", nargs=2, metavar=("READER", "PATH"))
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return 0
    rows, repeats = (10_000, 1) if options.smoke else (1_000_000, 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_file(path, rows, 20)
        best: dict[str, dict[str, float]] = {}
        for _ in range(repeats):
            for reader in ("pandas", "read_table"):
                command = [sys.executable, __file__, "--measure", reader, str(path)]
                result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                best[reader] = min(best.get(reader, result), result, key=lambda values: values["seconds"])
    ratios = {name: best["read_table"][name] / max(best["pandas"][name], 1e-9) for name in ("seconds", "memory")}
    print(json.dumps({"rows": rows, "best": best, "ratios": ratios}, indent=1))
    return 0 if options.smoke or (ratios["seconds"] <= TIME and ratios["memory"] <= MEMORY) else 6


if __name__ == "__main__":
    sys.exit(main())
