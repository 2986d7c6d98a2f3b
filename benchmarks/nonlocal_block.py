"""How much faster and smaller a non-local block is than its transcription, forward and backward, at equal outputs.

python benchmarks/nonlocal_block.py [--json] [--repeats N] [--threads N]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.reference_nonlocal import PlainNonLocal
from dlcli.nn.attention.non_local import NonLocalBlock
from dlcli.nn.attention.pairwise import FORMS
from dlcli.nn.initializers import GaussianInitializer

PIXELS, FRAMES = 28, 8
EMBEDDED = "embedded_gaussian"


@dataclass(frozen=True)
class Case:
    """An input of 8 frames of 28 x 28 positions; `goal` is the ratio that must hold, None has none."""

    channels: int
    batch: int
    goal: float | None


CASES = (Case(64, 2, 2.0), Case(128, 2, 2.0), Case(512, 1, None))


def pair(channels: int) -> tuple[nn.Module, nn.Module]:
    """The transcription and dlcli's, with the same weights, none of them zero."""
    torch.manual_seed(0)
    reference, ours = PlainNonLocal(channels), block(channels, EMBEDDED)
    given = reference.state_dict()
    names = {"pairs.theta": "theta", "pairs.phi": "phi", "g": "g", "w_z": "w_z"}
    with torch.no_grad():
        for name, old in names.items():
            part = ours.get_submodule(name)
            part.weight.copy_(given[f"{old}.weight"].flatten(1))
            part.bias.copy_(given[f"{old}.bias"])
    return reference, ours


def block(channels: int, form: str) -> NonLocalBlock:
    return NonLocalBlock(
        channels, variant=form, scale=1.0, pool=1, gamma=1.0, initializer=GaussianInitializer(deviation=0.01)
    )


def film(channels: int, batch: int, frames: int = FRAMES) -> Tensor:
    return torch.randn(batch, channels, frames, PIXELS, PIXELS).requires_grad_()


def check(reference: nn.Module, ours: nn.Module, channels: int) -> None:
    """Raises AssertionError when outputs or the input's gradients differ by more than 1e-4 of their largest value."""
    x = film(channels, 1)
    slope = torch.randn_like(x)
    results = [(out := model(x), *torch.autograd.grad(out, x, slope)) for model in (reference, ours)]
    for wanted, got in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4 * wanted.abs().max().item())


def seconds(model: nn.Module, x: Tensor, slope: Tensor) -> float:
    """One forward and backward pass to the input and all weights; no loss is timed."""
    begin = time.perf_counter()
    torch.autograd.grad(model(x), [x, *model.parameters()], slope)
    return time.perf_counter() - begin


def interleaved(calls: tuple[Callable[[], float], ...], repeats: int) -> list[float]:
    """The median of each call's answers, taken in turns after a round that does not count."""
    rounds = [[call() for call in calls] for _ in range(repeats + 1)]
    return [statistics.median(column) for column in zip(*rounds[1:], strict=True)]


def speed(case: Case, repeats: int) -> dict[str, str | float | None]:
    reference, ours = pair(case.channels)
    check(reference, ours, case.channels)
    x = film(case.channels, case.batch)
    slope = torch.randn_like(x)
    plain, fast = interleaved((lambda: seconds(reference, x, slope), lambda: seconds(ours, x, slope)), repeats)
    return {
        "name": f"{case.channels} channels, batch {case.batch}",
        "reference_ms": round(1e3 * plain),
        "ours_ms": round(1e3 * fast),
        "ratio": round(plain / fast, 2),
        "goal": case.goal,
    }


def resident() -> float:
    """The largest resident size of this program so far, in MiB; getrusage would count its parent's too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def peak(what: str, frames: int) -> float:
    """MiB that one forward and backward pass adds to a process that has done a small one."""
    model = PlainNonLocal(64) if what == "plain" else block(64, what)
    for size in (1, frames):
        before = resident()
        x = film(64, 1, size)
        seconds(model, x, torch.randn_like(x))
    return resident() - before


def memory(what: str) -> dict[str, str | float]:
    """Peaks at 6,272 and at twice as many positions, each in a process of its own."""
    once, twice = (
        float(subprocess.check_output([sys.executable, __file__, "--peak", what, "--frames", str(frames)]))
        for frames in (FRAMES, 2 * FRAMES)
    )
    return {"name": what, "mib": round(once), "mib_of_twice": round(twice), "growth": round(twice / once, 2)}


def machine() -> dict[str, str | int]:
    return {
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 0,
        "machine": f"{platform.machine()} {platform.system()}",
        "torch": torch.__version__,
    }


def show(where: dict[str, str | int], rows: list[dict], sizes: list[dict]) -> None:
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(f"{'embedded Gaussian':<26}{'reference ms':>14}{'ours ms':>10}{'ratio':>8}{'goal':>7}")
    for row in rows:
        goal = row["goal"] or ""
        print(f"{row['name']:<26}{row['reference_ms']:>14}{row['ours_ms']:>10}{row['ratio']:>8}{goal:>7}")
    print(f"\n{'peak, 64 channels':<26}{'MiB':>14}{'2 x as many positions':>24}{'growth':>8}")
    for row in sizes:
        print(f"{row['name']:<26}{row['mib']:>14}{row['mib_of_twice']:>24}{row['growth']:>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds of each case (5)")
    parser.add_argument("--threads", type=int, default=2, help="of the timed part (2)")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.peak:
        print(peak(arguments.peak, arguments.frames))
        return
    rows = [speed(case, arguments.repeats) for case in CASES]
    sizes = [memory(what) for what in ("plain", *FORMS)]
    if arguments.json:
        print(json.dumps({**machine(), "rows": rows, "memory": sizes}, indent=2))
    else:
        show(machine(), rows, sizes)


if __name__ == "__main__":
    main()
