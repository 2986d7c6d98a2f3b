"""A generation of Frostbite rated by two workers against one: wall-clock time of the same genomes.

python benchmarks/atari_workers.py [--json] [--individuals N] [--limit N] [--repeats N]
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from dlcli import launch
from dlcli.config import compose
from dlcli.core.executor import ignore_events
from dlcli.core.population import Genome
from dlcli.launch.rollout import DistributedRater, rate

GOAL = 1.6


def seconds(rater: DistributedRater, individuals: int) -> float:
    """Of rating first-generation genomes; every call has others, so that nothing is remembered."""
    begin = time.perf_counter()
    first = int(begin * 1000) % 2**40
    rater.rate([Genome((first + number,), ()) for number in range(individuals)], {}, [0])
    return time.perf_counter() - begin


def measure(individuals: int, limit: int, repeats: int) -> dict[str, float | int]:
    """Medians, one and two workers taken in turns, after a generation that each warms up with."""
    words = ["frostbite", f"task.limit={limit}", "learner.chunk=8"]
    (point,) = compose.expand("evolve", words)
    config = point.resolved()
    times: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with (
            launch.open_executor("local", rate, 1, ignore_events, place) as alone,
            launch.open_executor("local", rate, 2, ignore_events, place) as pair,
        ):
            raters = {1: DistributedRater(alone, config), 2: DistributedRater(pair, config)}
            for rater in raters.values():
                seconds(rater, 4)
            for _ in range(repeats):
                for jobs, rater in raters.items():
                    times[jobs].append(seconds(rater, individuals))
    one, two = (statistics.median(times[jobs]) for jobs in (1, 2))
    return {
        "individuals": individuals, "limit": limit, "seconds_1": round(one, 2), "seconds_2": round(two, 2),
        "speedup": round(one / two, 2), "goal": GOAL,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a line")
    parser.add_argument("--individuals", type=int, default=16, help="of a generation (16)")
    parser.add_argument("--limit", type=int, default=200, help="agent steps of an episode (200)")
    parser.add_argument("--repeats", type=int, default=3, help="timed rounds (3)")
    arguments = parser.parse_args()
    where = {"python": platform.python_version(), "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
    row = measure(arguments.individuals, arguments.limit, arguments.repeats)
    if arguments.json:
        print(json.dumps({**where, **row}, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(", ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
