"""A step on the adding problem with and without flushing denormal numbers to zero: `python benchmarks/denormals.py`."""

import argparse
import json
import statistics
import time

import torch

from dlcli.config import build, compose
from dlcli.config.budget import solve_budget
from dlcli.core.learner import Learner
from dlcli.engine.device import numeric_settings

_STEPS = 5
_ROUNDS = 5


def milliseconds(learner: Learner, flush: bool) -> float:
    """Of one step, over a few."""
    torch.set_flush_denormal(flush)
    start = time.perf_counter()
    for _ in range(_STEPS):
        learner.step()
    return 1000 * (time.perf_counter() - start) / _STEPS


def measure(recipe: str) -> dict[str, object]:
    """Medians of both arms, taken in turns in this process."""
    (point,) = compose.expand("train", [recipe, "task.train=2000"])
    learner = build.build(solve_budget(point.resolved()), torch.device("cpu")).learner
    arms: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for flush, times in arms.items():
            times.append(milliseconds(learner, flush))
    plain, flushed = (statistics.median(arms[flush]) for flush in (False, True))
    return {"recipe": recipe, "denormal_ms": plain, "flushed_ms": flushed, "ratio": plain / flushed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    with numeric_settings(1):
        rows = [measure(recipe) for recipe in ("adding_elman", "adding_gru", "adding_lstm", "adding_tcn")]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(f"{row['recipe']:14} {row['denormal_ms']:7.1f} ms  {row['flushed_ms']:7.1f} ms  {row['ratio']:5.2f}x")


if __name__ == "__main__":
    main()
