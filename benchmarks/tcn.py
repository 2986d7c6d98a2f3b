"""How much faster dlcli's TCN is than the published one, forward and backward, at equal weights and outputs.

python benchmarks/tcn.py [--json] [--repeats N]
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

from benchmarks.reference_tcn import PlainTCN
from dlcli.core.spec import Real, Spec
from dlcli.models.sequence.tcn import TCN

THREADS = 2


@dataclass(frozen=True)
class Case:
    """A network and its data; `goal` is the ratio that must hold."""

    name: str
    inputs: int
    units: int
    channels: tuple[int, ...]
    kernel_size: int
    batch: int
    time: int
    per_step: bool
    goal: float

    @property
    def spec(self) -> Spec:
        target = (self.units, self.time) if self.per_step else (self.units,)
        return Spec((Real((self.inputs, self.time)),), Real(target))


CASES = (
    Case("adding, last step", 2, 1, (30,) * 8, 7, 32, 400, False, 5.0),
    Case("copy memory, every step", 1, 10, (10,) * 8, 8, 32, 1020, True, 2.0),
    Case("music, every step", 88, 88, (150,) * 4, 6, 8, 500, True, 1.2),
)


def pair(case: Case) -> tuple[nn.Module, nn.Module]:
    """The published network and dlcli's, with the same weights."""
    reference = PlainTCN(case.inputs, case.units, case.channels, case.kernel_size, per_step=case.per_step)
    ours = TCN(
        case.spec,
        channels=case.channels,
        kernel_size=case.kernel_size,
        dropout=0.0,
        noise="element",
        embedding=1,
        embedding_dropout=0.0,
        tied=False,
    )
    with torch.no_grad():
        for target, source in zip(ours.parameters(), reference.parameters(), strict=True):
            target.copy_(source.view_as(target))
    return reference, ours


def check(reference: nn.Module, ours: nn.Module, x: Tensor) -> None:
    """Raises AssertionError when outputs or gradients differ by more than 1e-5 of their largest value."""
    results = []
    for model in (reference, ours):
        output = model(x)
        results.append((output, *torch.autograd.grad(output.square().sum(), list(model.parameters()))))
    for wanted, got in zip(*results, strict=True):
        scale = wanted.abs().max().item()
        torch.testing.assert_close(got.view_as(wanted), wanted, rtol=0, atol=1e-5 * scale)


def seconds(model: nn.Module, x: Tensor, slope: Tensor) -> float:
    """One forward and backward pass; the slope of a loss at the output is given, so no loss is timed."""
    begin = time.perf_counter()
    torch.autograd.grad(model(x), list(model.parameters()), slope)
    return time.perf_counter() - begin


def interleaved(calls: tuple[Callable[[], float], ...], repeats: int) -> list[float]:
    """The median of each call's answers, taken in turns after two rounds that do not count."""
    rounds = [[call() for call in calls] for _ in range(repeats + 2)]
    return [statistics.median(column) for column in zip(*rounds[2:], strict=True)]


def measure(case: Case, repeats: int) -> dict[str, str | float]:
    torch.manual_seed(0)
    reference, ours = pair(case)
    x = torch.randn(case.batch, case.inputs, case.time)
    check(reference, ours, x)
    slope = torch.randn_like(reference(x))
    plain, fast = interleaved((lambda: seconds(reference, x, slope), lambda: seconds(ours, x, slope)), repeats)
    return {
        "name": case.name,
        "reference_ms": round(1e3 * plain, 2),
        "ours_ms": round(1e3 * fast, 2),
        "ratio": round(plain / fast, 2),
        "goal": case.goal,
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
    print(f"{'name':<26}{'reference ms':>14}{'ours ms':>10}{'ratio':>8}{'goal':>7}")
    for row in rows:
        print(f"{row['name']:<26}{row['reference_ms']:>14}{row['ours_ms']:>10}{row['ratio']:>8}{row['goal']:>7}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=15, help="timed rounds of each case (15)")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    rows = [measure(case, arguments.repeats) for case in CASES]
    if arguments.json:
        print(json.dumps({**machine(), "rows": rows}, indent=2))
    else:
        show(machine(), rows)


if __name__ == "__main__":
    main()
