"""Processor time of `dlcli compare runs` and `list runs` over 5,000 run directories.

Goals: 2.5 s and 1.5 s. pandas.read_csv over the metrics.csv files is measured for scale. Each is a process of its own,
start included; they take turns. Usage: benchmarks/compare.py [--runs 5000] [--old] [--page FILE]
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from dlcli.runs.record import SCHEMA

METRICS = (("train", "loss"), ("train", "gradient_norm"), ("train", "rate"), ("valid", "nll"), ("valid", "accuracy"))
LOOP = "import pathlib, sys, pandas\nfor path in pathlib.Path(sys.argv[1]).rglob('metrics.csv'): pandas.read_csv(path)"
METRIC_INFO = {
    "accuracy": {"direction": "max", "unit": "", "baseline": 0.1},
    "nll": {"direction": "min", "unit": "nat", "baseline": 2.3},
}
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--old", action="store_true", help="runs as dlcli 0.1.0 wrote them, without config.json")
    parser.add_argument("--page", type=Path, help="also write the page of 100 runs x 1,000 points here")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "many"
        make(out, asked.runs, 200, old=asked.old)
        report(out)
        page(Path(folder), asked.page)


def report(out: Path) -> None:
    """Print medians of processes that take turns."""
    dlcli = [sys.executable, "-m", "dlcli"]
    commands = {
        "pandas.read_csv in a loop": [sys.executable, "-c", LOOP, str(out)],
        "dlcli compare runs": [*dlcli, "compare", "runs", "--out", str(out)],
        "dlcli list runs": [*dlcli, "list", "runs", "--out", str(out)],
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            taken[name].append(timed(command))
    base = statistics.median(seconds for seconds, _ in taken["pandas.read_csv in a loop"])
    for name, both in taken.items():
        seconds = statistics.median(one for one, _ in both)
        print(f"{name:28} {seconds:6.2f} s  {seconds / base:5.2f}  {max(size for _, size in both):5.0f} MB")


def timed(command: list[str]) -> tuple[float, float]:
    """Processor time in seconds, and peak memory in MB, of a process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def page(folder: Path, kept: Path | None) -> None:
    """The page of 100 runs with 1,000 points: its size, and when a browser has it ready."""
    make(folder / "page", 100, 1000)
    path = kept or folder / "page.html"
    seconds, _ = timed(
        [sys.executable, "-m", "dlcli", "compare", "runs", "--out", str(folder / "page"), "--html", str(path)]
    )
    print(f"page of 100 runs x 1,000 points: {path.stat().st_size / 1e6:.2f} MB, written in {seconds:.1f} s")
    ready = milliseconds_until_ready(path)
    print(f"interactive after {ready} ms" if ready is not None else "no chromium here: not opened")


def milliseconds_until_ready(path: Path) -> int | None:
    """What the page itself says, in headless Chromium."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "browser"))
    try:
        from chromium import browser
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as driver:
        driver.get(path.resolve().as_uri())
        driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        return driver.execute_script("return Math.round(performance.now())")


def make(out: Path, count: int, points: int, *, old: bool = False) -> None:
    """Write run directories as `dlcli train` does: groups of eight seeds, five metrics.

    Args:
        points: rows of each metric.
        old: schema 1, as dlcli 0.1.0 wrote it.
    """
    draw = random.Random(0)
    for number in range(count):
        group, seed = divmod(number, 8)
        path = out / "train" / "tcn" / f"2026-01-01_00-00-00_r{number:05d}"
        path.mkdir(parents=True)
        last = 0.9 + 0.05 * draw.random()
        (path / "metrics.csv").write_text(metrics(points, last, draw))
        (path / "timing.csv").write_text(timing(points))
        config = CONFIG.format(seed=seed, width=4 + group, rate=0.001 * (1 + group % 3))
        (path / "config.yaml").write_text(config)
        if not old:
            (path / "config.json").write_text(json.dumps(yaml.safe_load(config), separators=(",", ":")))
        (path / "environment.json").write_text(json.dumps({"python": "3.11", "device": "cpu", "threads": 1}))
        known = facts(number, seed, group, last, points)
        if old:
            known = {name: value for name, value in known.items() if name != "metric_info"} | {"schema": 1}
        (path / "run.json").write_text(json.dumps(known, indent=1) + "\n")


def metrics(points: int, last: float, draw: random.Random) -> str:
    lines = ["step,split,metric,value"]
    for point in range(1, points + 1):
        value = last * (1 - 0.8 / point) + 0.01 * draw.random()
        lines += [f"{50 * point},{split},{name},{value!r}" for split, name in METRICS]
    return "\n".join(lines) + "\n"


def timing(points: int) -> str:
    lines = [f"{50 * point},{point / 10:.3f},samples,{1600 * point}" for point in range(1, points + 1)]
    return "\n".join(["step,seconds,counter,value", *lines]) + "\n"


def facts(number: int, seed: int, group: int, value: float, points: int) -> dict[str, object]:
    scores = {"nll": 1 - value, "accuracy": value}
    return {
        "schema": SCHEMA, "id": f"r{number:05d}", "verb": "train", "label": "tcn", "status": "completed",
        "exit_code": 0, "started": f"2026-01-01T{number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}+00:00",
        "ended": "2026-01-02T00:00:00+00:00", "host": "here", "pid": 1, "metrics": {"valid": scores, "test": scores},
        "name": None, "tags": [], "parent": None, "argv": ["train"], "words": [], "recipe": "tcn", "task": "digits",
        "model": "tcn", "seed": seed, "core": f"{group:016x}", "signature": f"{group:016x}", "parameters": 1000 + group,
        "goal": {"metric": "accuracy", "direction": "max"}, "metric_info": METRIC_INFO,
        "steps": 50 * points, "seconds": 12.5,
        "counters": {"updates": 50 * points, "samples": 1600 * points}, "best": {"step": 50 * points, "value": value},
    }  # fmt: skip


CONFIG = """\
task:
  _target_: dlcli.tasks.sequence.sequential_digits.SequentialDigits
  batch: 32
  order: {seed}
model:
  _target_: dlcli.models.sequence.tcn.TCN
  channels:
  - {width}
  - {width}
  kernel_size: 6
  dropout: 0.05
learner:
  players:
    model:
      optimizer:
        _target_: torch.optim.Adam
        _partial_: true
        lr: {rate}
        betas:
        - 0.9
        - 0.999
        eps: 1.0e-08
        weight_decay: 0.0
      objective:
        _target_: dlcli.objectives.supervised.Supervised
        _partial_: true
      schedule:
        _target_: dlcli.learners.gradient.schedule.Constant
      _target_: dlcli.learners.gradient.player.Player
      parts: null
      split: train
      repeats: 1
      accumulate: 1
      clip: 1.0
  _target_: dlcli.learners.gradient.gradient.Gradient
  seed: {seed}
  precision: float32
seed: {seed}
until:
  steps: 10000
eval_every: 50
log_every: 50
threads: 1
device: auto
precision: float32
"""


if __name__ == "__main__":
    main()
