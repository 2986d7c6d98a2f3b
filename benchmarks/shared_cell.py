"""How much faster a step of ENAS's shared recurrent cell is than a plain one, forward and backward, at equal weights.

The plain one is a loop over steps and nodes with a matmul for each. Architectures are drawn from a fixed seed, a chain
and a star are the extremes. Times are of this process's CPU where others share the machine (--cpu), else of the clock.

python benchmarks/shared_cell.py [--json] [--cpu] [--repeats N]
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.reference_cell import PlainCell
from dlcli.core.space import Architecture, sample
from dlcli.core.spec import Real, Spec
from dlcli.models.searched.shared_cell import SharedCell
from dlcli.nn.supernet.cell_space import CellSpace
from dlcli.nn.supernet.controller import UniformController

THREADS = 1
NODES, HIDDEN, BATCH, TIME = 12, 200, 64, 35
GOAL = 1.2


@dataclass(frozen=True)
class Case:
    name: str
    architecture: Architecture


def cases() -> list[Case]:
    drawn = sample(CellSpace(NODES), 3, torch.Generator().manual_seed(0))
    functions = [place % 4 for place in range(NODES - 1)]
    chain = tuple(number for place, function in enumerate(functions) for number in (place, function))
    star = tuple(number for function in functions for number in (0, function))
    return [*(Case(f"drawn {place}", one) for place, one in enumerate(drawn)), Case("chain", chain), Case("star", star)]


def pair(case: Case) -> tuple[nn.Module, nn.Module, list[nn.Parameter], list[nn.Parameter]]:
    """The plain network and the member of dlcli's shared one, with the same weights, and these in the same order."""
    rates = dict.fromkeys((f"{name}_dropout" for name in ("word", "embedding", "input", "layer", "output")), 0.0)
    spec = Spec((Real((HIDDEN, TIME)),), Real((HIDDEN, TIME)))
    sizes = {"nodes": NODES, "hidden": HIDDEN, "init_range": 0.04, "embedding": 1, "tied": False}
    ours = SharedCell(spec, controller=UniformController, **sizes, **rates)
    network, used = ours.shared.network, ours.shared.matrices_of(case.architecture)
    plain = PlainCell(HIDDEN, HIDDEN, HIDDEN, case.architecture)
    with torch.no_grad():
        plain.first.copy_(torch.cat([network.inputs.weight.t(), network.recurrent]))
        for target, source in zip(plain.matrices, used, strict=True):
            target.copy_(source)
        plain.head.load_state_dict(network.head.linear.state_dict())
    theirs = [plain.first, *plain.matrices, *plain.head.parameters()]
    return (
        plain,
        ours.child(case.architecture),
        theirs,
        [network.inputs.weight, network.recurrent, *used, *network.head.parameters()],
    )


def check(case: Case, x: Tensor) -> None:
    """Raises AssertionError when outputs or gradients differ by more than 1e-5 of their largest value."""
    plain, ours, theirs, weights = pair(case)
    results = []
    for model, parameters in ((plain, theirs), (ours, weights)):
        output = model(x)
        results.append([output, *torch.autograd.grad(output.square().sum(), parameters)])
    results[1][1:3] = [torch.cat([results[1][1].t(), results[1][2]])]
    for wanted, got in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5 * wanted.abs().max().item())


def seconds(model: nn.Module, parameters: list[nn.Parameter], x: Tensor, slope: Tensor, clock: Callable) -> float:
    """One forward and backward pass; the slope of a loss at the output is given, so no loss is timed."""
    begin = clock()
    torch.autograd.grad(model(x), parameters, slope)
    return clock() - begin


def measure(case: Case, repeats: int, clock: Callable[[], float]) -> dict[str, str | float]:
    torch.manual_seed(0)
    x = torch.randn(BATCH, HIDDEN, TIME)
    check(case, x)
    plain, ours, theirs, weights = pair(case)
    slope = torch.randn(BATCH, HIDDEN, TIME)
    rounds = [
        (seconds(plain, theirs, x, slope, clock), seconds(ours, weights, x, slope, clock)) for _ in range(repeats + 2)
    ][2:]
    reference, fast = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "name": case.name,
        "reference_ms": round(1e3 * reference, 1),
        "ours_ms": round(1e3 * fast, 1),
        "ratio": round(statistics.median(one / other for one, other in rounds), 2),
        "goal": GOAL,
    }


def machine() -> dict[str, str | int]:
    return {
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 0,
        "machine": f"{platform.machine()} {platform.system()}",
        "torch": torch.__version__,
    }


def show(where: dict[str, str | int], rows: list[dict[str, str | float]]) -> None:
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(f"{'name':<12}{'reference ms':>14}{'ours ms':>10}{'ratio':>8}{'goal':>7}")
    for row in rows:
        print(f"{row['name']:<12}{row['reference_ms']:>14}{row['ours_ms']:>10}{row['ratio']:>8}{row['goal']:>7}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--cpu", action="store_true", help="seconds of this process's CPU, on a busy machine")
    parser.add_argument("--repeats", type=int, default=15, help="timed rounds of each case (15)")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    clock = time.process_time if arguments.cpu else time.perf_counter
    rows = [measure(case, arguments.repeats, clock) for case in cases()]
    if arguments.json:
        print(json.dumps({**machine(), "rows": rows}, indent=2))
    else:
        show(machine(), rows)


if __name__ == "__main__":
    main()
