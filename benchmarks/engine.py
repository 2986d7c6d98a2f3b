"""What the engine costs: a step of `fit` against a hand-written loop, same model, data and optimizer.

python benchmarks/engine.py [--json] [--repeats N] [--steps N]

A TCN of about 5 k parameters on copy memory, T 100. Blocks of both are taken in turns in one process, and the median of
the ratios is printed, once by the clock on the wall and once by that of the processor, which others on the machine
disturb less. The loop by hand logs nothing; `fit` logs, counts and looks at the clock as in any run.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dlcli.config import build, compose
from dlcli.engine.fit import Signals, fit
from dlcli.engine.train import plan
from dlcli.runs.run import Run

CPU = torch.device("cpu")
WORDS = ("copy_memory_tcn", "threads=1", "device=cpu", "clip=null")
GOAL = 1.05

Times = tuple[float, float]
"""Seconds a step: on the wall, and of the processor."""


def now() -> Times:
    return time.perf_counter(), time.process_time()


def between(begin: Times, end: Times, steps: int) -> Times:
    return (end[0] - begin[0]) / steps, (end[1] - begin[1]) / steps


class Silent:
    """A watcher that shows nothing."""

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None: ...

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None: ...


def config(steps: int) -> dict[str, Any]:
    """One block of steps without evaluation and checkpoint."""
    (point,) = compose.expand("train", [*WORDS, f"steps={steps}", f"eval_every={10 * steps}", "checkpoint_every=null"])
    return point.resolved()


def by_hand(built: build.Built, steps: int) -> Callable[[], Times]:
    """Seconds per step of a hand-written loop for this model, in blocks of `steps`."""
    model, task = built.model.train(), built.task
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    place = 0

    def block() -> Times:
        nonlocal place
        begin = now()
        for index in range(place, place + steps):
            batch = task.batch("train", index)
            optimizer.zero_grad()
            F.cross_entropy(model(*batch.inputs), batch.target).backward()
            optimizer.step()
        place += steps
        return between(begin, now(), steps)

    return block


class _Stepping:
    """The learner, with the time of the first step and of the last, so that starting and ending a run do not count."""

    def __init__(self, learner: Any) -> None:
        self._learner, self.counters = learner, learner.counters
        self.begun: Times | None = None
        self.ended = now()

    @property
    def model(self) -> nn.Module | None:
        return self._learner.model

    def step(self) -> Any:
        if self.begun is None:
            self.begun = now()
        row = self._learner.step()
        self.ended = now()
        return row

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def by_engine(built: build.Built, steps: int, out: Path) -> Callable[[], Times]:
    """Seconds a step of `fit`, from the beginning of its first step to the end of its last."""
    plain = config(steps)

    def block() -> Times:
        run = Run.create(out, "bench", "engine", "")
        learner = _Stepping(built.learner)
        try:
            fit(learner, built.task, run, plan(plain), Silent(), Signals())
        finally:
            run.close()
        assert learner.begun is not None
        return between(learner.begun, learner.ended, steps)

    return block


def measure(repeats: int, steps: int) -> dict[str, Any]:
    builts = [build.build(config(steps), CPU) for _ in range(2)]
    check(*builts)
    with tempfile.TemporaryDirectory() as out:
        blocks = (by_hand(builts[0], steps), by_engine(builts[1], steps, Path(out)))
        rounds = [[block() for block in order(blocks, turn)] for turn in range(repeats + 2)][2:]
    pairs = [row if turn % 2 == 0 else row[::-1] for turn, row in enumerate(rounds)]
    wall, processor = ([(hand[clock], engine[clock]) for hand, engine in pairs] for clock in (0, 1))
    return {
        "parameters": builts[0].parameters,
        "hand_ms": round(1e3 * statistics.median(hand for hand, _ in wall), 3),
        "engine_ms": round(1e3 * statistics.median(engine for _, engine in wall), 3),
        "ratio": round(statistics.median(engine / hand for hand, engine in wall), 4),
        "cpu_ratio": round(statistics.median(engine / hand for hand, engine in processor), 4),
        "goal": GOAL,
    }


def order(blocks: tuple[Callable[[], Times], ...], turn: int) -> tuple[Callable[[], Times], ...]:
    """Who begins changes with every turn."""
    return blocks if turn % 2 == 0 else blocks[::-1]


def check(one: build.Built, other: build.Built) -> None:
    """Raises AssertionError when both would not descend the same loss on the same batch."""
    batch = one.task.batch("train", 0)
    by_task = other.task.loss(other.model, batch).value
    torch.testing.assert_close(F.cross_entropy(one.model(*batch.inputs), batch.target), by_task)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--repeats", type=int, default=25, help="timed blocks of each (25)")
    parser.add_argument("--steps", type=int, default=110, help="steps of a block (110, logged twice)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    row = measure(arguments.repeats, arguments.steps)
    where = {"threads": 1, "cores": os.cpu_count(), "machine": platform.machine(), "torch": torch.__version__}
    if arguments.json:
        print(json.dumps({**where, **row}, indent=2))
    else:
        print(", ".join(f"{key} {value}" for key, value in where.items()))
        print("".join(f"{key:>14}" for key in row))
        print("".join(f"{value:>14}" for value in row.values()))


if __name__ == "__main__":
    main()
