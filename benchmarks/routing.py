"""How much faster, and in how much less memory, dlcli routes to the digit capsules of the MNIST network.

1,152 capsules of 8 dimensions, 10 of 16, batch 100, 3 iterations, forward and backward, against transcriptions of the
paper's procedure: the one that is usual (a matrix product that is broadcast over batch, inputs and outputs) and one by
einsum, which does not copy the matrices. Memory is the most that a process of its own ever had resident, without what
it had when torch and the data were there.

python benchmarks/routing.py [--json] [--repeats N] [--threads N]
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
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dlcli.nn.capsule.prediction_vectors import PairwisePredictionVectors
from dlcli.nn.capsule.routing import DynamicRouting

BATCH, INPUTS, DIM, OUTPUTS, POSE, ITERATIONS = 100, 1152, 8, 10, 16, 3
SPEED, MEMORY, EQUAL = 5.0, 1 / 3, 1e-5
ARMS = ("usual", "einsum", "dlcli")


def problem() -> tuple[Tensor, Tensor]:
    """u [batch, input, dim] and W [input, output, pose, dim], of a size that makes outputs about half long."""
    draw = torch.Generator().manual_seed(0)
    u = 0.3 * torch.randn(BATCH, INPUTS, DIM, generator=draw)
    W = 0.1 * torch.randn(INPUTS, OUTPUTS, POSE, DIM, generator=draw)
    return u, W


def usual(u: Tensor, W: Tensor) -> Tensor:
    return (W[None] @ u[:, :, None, :, None]).squeeze(-1)


def by_einsum(u: Tensor, W: Tensor) -> Tensor:
    return torch.einsum("ijkd,bid->bijk", W, u)


def procedure(said: Tensor, gradient: str) -> Tensor:
    """Procedure 1 of the paper over all votes [batch, input, output, pose]."""
    fixed = said if gradient == "all" else said.detach()
    b = torch.zeros(said.shape[:3])
    for iteration in range(ITERATIONS):
        c = b.softmax(2)
        last = iteration == ITERATIONS - 1
        s = (c[..., None] * (said if last else fixed)).sum(1)
        norm2 = s.square().sum(-1, keepdim=True)
        v = norm2 / (1 + norm2) * s / norm2.sqrt()
        if not last:
            b = b + (fixed * v[:, None]).sum(-1)
    return v


def prepared(arm: str, gradient: str) -> tuple[Callable[[], Tensor], tuple[Tensor, Tensor]]:
    """A forward pass, and the leaves whose gradients are wanted."""
    u, W = problem()
    if arm == "dlcli":
        leaves = u.requires_grad_(), W.permute(3, 0, 1, 2).contiguous().requires_grad_()
        routing = DynamicRouting(iterations=ITERATIONS, gradient=gradient, coupling="softmax")
        return lambda: routing(PairwisePredictionVectors(leaves[0].transpose(1, 2).contiguous(), leaves[1])), leaves
    votes = usual if arm == "usual" else by_einsum
    leaves = u.requires_grad_(), W.requires_grad_()
    return lambda: procedure(votes(*leaves), gradient), leaves


def passed(arm: str, gradient: str) -> tuple[float, tuple[Tensor, ...]]:
    """Seconds of one forward and backward pass; outputs and gradients, laid out alike for all arms."""
    forward, leaves = prepared(arm, gradient)
    slope = torch.randn(BATCH, OUTPUTS, POSE, generator=torch.Generator().manual_seed(1))
    begin = time.perf_counter()
    v = forward()
    du, dW = torch.autograd.grad(v, leaves, slope)
    taken = time.perf_counter() - begin
    return taken, (v, du, dW.permute(1, 2, 3, 0) if arm == "dlcli" else dW)


def difference(arm: str, gradient: str) -> float:
    """The largest from the usual one, as a part of the largest value of output or gradient."""
    pairs = zip(passed("usual", gradient)[1], passed(arm, gradient)[1], strict=True)
    return max(((one - other).abs().max() / one.abs().max()).item() for one, other in pairs)


def megabytes(arm: str, gradient: str, threads: int) -> tuple[float, float]:
    """Most resident memory that one pass adds, and altogether, measured in a process of its own."""
    words = [sys.executable, __file__, "--memory", arm, gradient, "--threads", str(threads)]
    added, whole = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    return float(added), float(whole)


def resident() -> float:
    """The most that this process had resident, in MB; getrusage would count what its parent had (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def weigh(arm: str, gradient: str) -> None:
    forward, leaves = prepared(arm, gradient)
    tiny = torch.ones(4, 4, requires_grad=True)
    torch.autograd.grad((tiny @ tiny).sum(), tiny)  # libraries that come with the first pass
    before = resident()
    v = forward()
    torch.autograd.grad(v, leaves, torch.ones_like(v))
    print(resident() - before, resident())


def measure(gradient: str, repeats: int, threads: int) -> list[dict[str, str | float]]:
    """The arms take turns; medians, after one round that does not count."""
    rounds = [[passed(arm, gradient)[0] for arm in ARMS] for _ in range(repeats + 1)]
    seconds = [statistics.median(column) for column in zip(*rounds[1:], strict=True)]
    memory = [megabytes(arm, gradient, threads) for arm in ARMS]
    return [
        {
            "gradient": gradient,
            "arm": arm,
            "seconds": round(taken, 3),
            "times_faster": round(seconds[0] / taken, 1),
            "added_mb": round(added),
            "whole_mb": round(whole),
            "of_added": round(added / memory[0][0], 3),
            "of_whole": round(whole / memory[0][1], 3),
            "difference": difference(arm, gradient),
        }
        for arm, taken, (added, whole) in zip(ARMS, seconds, memory, strict=True)
    ]


def show(where: dict[str, str | int], rows: list[dict[str, str | float]]) -> None:
    print(", ".join(f"{key} {value}" for key, value in where.items()))
    print(f"{'gradient':<10}{'arm':<8}{'s':>8}{'faster':>8}{'MB':>7}{'part':>7}{'all MB':>8}{'part':>7}{'differs':>10}")
    for row in rows:
        gradient, arm, taken, faster, added, whole, of_added, of_whole, differs = row.values()
        print(
            f"{gradient:<10}{arm:<8}{taken:>8}{faster:>8}{added:>7}{of_added:>7}{whole:>8}{of_whole:>7}{differs:>10.1e}"
        )
    ours = [row for row in rows if row["arm"] == "dlcli"]
    for row in ours:
        held = row["times_faster"] >= SPEED and row["of_whole"] <= MEMORY and row["difference"] <= EQUAL
        print(
            f"gradient {row['gradient']}: {SPEED:g} times faster, {MEMORY:.2f} of all memory, equal to {EQUAL:g}:",
            end=" ",
        )
        print("held" if held else "NOT held")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds (5)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (2)")
    parser.add_argument("--memory", nargs=2, metavar=("ARM", "GRADIENT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        weigh(*arguments.memory)
        return
    rows = [row for gradient in ("last", "all") for row in measure(gradient, arguments.repeats, arguments.threads)]
    where = {
        "threads": arguments.threads,
        "cores": os.cpu_count() or 0,
        "machine": f"{platform.machine()} {platform.system()}",
        "torch": torch.__version__,
    }
    if arguments.json:
        print(json.dumps({**where, "rows": rows}, indent=2))
    else:
        show(where, rows)


if __name__ == "__main__":
    main()
