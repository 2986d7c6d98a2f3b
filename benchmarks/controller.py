"""How long a controller takes to draw 100 architectures in one call, and one at a time.

    python benchmarks/controller.py [--json] [--repeats N]

The spaces are those of the papers: 12 layers of the macro search, two cells of 5 nodes of the micro search, a recurrent
cell of 9 nodes. Milliseconds are medians, one thread, without gradients.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dlcli.core.space import Architecture, Decision, Graph, Space
from dlcli.nn.supernet.controller import Controller
from dlcli.nn.supernet.macro_space import MacroSpace
from dlcli.nn.supernet.micro_space import MicroSpace

COUNT, GOAL = 100, 50.0


@dataclass(frozen=True)
class Cells:
    """Nodes that read an earlier one and have one of four functions."""

    nodes: int

    @property
    def decisions(self) -> list[Decision]:
        functions = ("tanh", "relu", "sigmoid", "identity")
        reads = [Decision(f"node {node} reads", tuple(map(str, range(node)))) for node in range(1, self.nodes + 1)]
        return [one for read in reads for one in (read, Decision(f"{read.name[:-6]} function", functions))]

    def graph(self, architecture: Architecture) -> Graph:
        return Graph((), ())


SPACES: dict[str, Space] = {"macro 12": MacroSpace(12), "micro 5": MicroSpace(5), "cell 9": Cells(9)}


def median(thing: Callable[[], object], repeats: int) -> float:
    """Milliseconds; the first call does not count."""
    taken = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        thing()
        taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken[1:])


def measure(name: str, repeats: int) -> dict[str, float | str]:
    space = SPACES[name]
    made = Controller(space, hidden=64, tanh=1.5, temperature=1.0, initial=0.1, shapings={}, priors={})
    with torch.no_grad():
        together = median(lambda: made.sample(COUNT), repeats)
        apart = median(lambda: [made.sample(1) for _ in range(COUNT)], max(1, repeats // 10))
    return {
        "space": name,
        "decisions": len(space.decisions),
        "together_ms": round(together, 2),
        "apart_ms": round(apart, 1),
        "ratio": round(apart / together, 1),
        "goal_ms": GOAL,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=20, help="timed calls (20)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(name, arguments.repeats) for name in SPACES]
    if arguments.json:
        print(json.dumps({"torch": torch.__version__, "threads": 1, "count": COUNT, "rows": rows}, indent=2))
        return
    print(f"{'space':<10}{'decisions':>10}{'together ms':>13}{'apart ms':>10}{'ratio':>7}{'goal ms':>9}")
    for row in rows:
        print(
            f"{row['space']:<10}{row['decisions']:>10}{row['together_ms']:>13}{row['apart_ms']:>10}"
            f"{row['ratio']:>7}{row['goal_ms']:>9}"
        )


if __name__ == "__main__":
    main()
