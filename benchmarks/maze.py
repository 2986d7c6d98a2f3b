"""How much faster the hard maze is with all robots at once than a robot at a time in plain Python.

    python benchmarks/maze.py [--json] [--repeats N]

Both receive the same outputs, sense at every step, and end in the same positions (checked). Seconds are a robot's.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.maze_reference import run
from dlcli.tasks.control.maze.geometry import HARD, Walls
from dlcli.tasks.control.maze.robots import Robots

STEPS, PLAIN, GOAL = 400, 2, 50.0


def outputs(robots: int, seed: int) -> Tensor:
    """[step, robot, 2]: outputs that change slowly, so that robots get somewhere."""
    random = torch.Generator().manual_seed(seed)
    return torch.randn(STEPS // 20, robots, 2, generator=random).repeat_interleave(20, 0) + torch.tensor([0.0, 0.3])


def ours(told: Tensor) -> tuple[float, Tensor]:
    """Seconds, and where robots ended; none of them is near the goal."""
    begin = time.perf_counter()
    with torch.inference_mode():
        robots = Robots(HARD, Walls(HARD.walls), told.shape[1])
        robots.reset()
        for output in told:
            robots.step(output)
    return time.perf_counter() - begin, robots.place.t()


def plain(told: Tensor) -> tuple[float, Tensor]:
    sequences = told.transpose(0, 1).tolist()
    begin = time.perf_counter()
    places = [run(HARD, sequence) for sequence in sequences]
    return time.perf_counter() - begin, torch.tensor(places, dtype=torch.float64)


def measure(robots: int, repeats: int) -> dict[str, float]:
    slow, fast = [], []
    for number in range(repeats + 1):
        told = outputs(robots, number)
        seconds, places = plain(told[:, :PLAIN])
        slow.append(seconds / PLAIN)
        seconds, all_places = ours(told)
        fast.append(seconds / robots)
        torch.testing.assert_close(all_places[:PLAIN], places, rtol=0, atol=1e-4)
    one, many = statistics.median(slow[1:]), statistics.median(fast[1:])
    return {
        "robots": robots,
        "plain_us": round(1e6 * one / STEPS, 2),
        "ours_us": round(1e6 * many / STEPS, 3),
        "ratio": round(one / many, 1),
        "goal": GOAL,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=7, help="timed rounds (7)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(robots, arguments.repeats) for robots in (50, 500)]
    if arguments.json:
        print(json.dumps({"torch": torch.__version__, "threads": 1, "rows": rows}, indent=2))
        return
    print(f"{'robots':>8}{'plain us/step':>15}{'ours us/step':>14}{'ratio':>8}{'goal':>7}")
    for row in rows:
        print(f"{row['robots']:>8}{row['plain_us']:>15}{row['ours_us']:>14}{row['ratio']:>8}{row['goal']:>7}")


if __name__ == "__main__":
    main()
