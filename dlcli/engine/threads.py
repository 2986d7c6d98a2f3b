"""How long a step takes, found by taking a few."""

import json
import logging
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from platformdirs import user_cache_path

from dlcli.core.evaluation import score
from dlcli.core.learner import Learner
from dlcli.core.limits import finished
from dlcli.core.task import Task
from dlcli.engine.device import computing
from dlcli.runs.files import replace_file

_log = logging.getLogger("dlcli")
_STEPS = 5
_ROUNDS = 5
_PATIENCE = 4.0  # seconds that a probe may take


def seconds_a_step(learner: Learner, threads: Sequence[int]) -> dict[int, float]:
    """Median seconds of a step by number of threads, measured in turns; the learner is worn out by it."""
    times: dict[int, list[float]] = {number: [] for number in threads}
    begun = time.perf_counter()
    learner.step()
    first = time.perf_counter() - begun
    if finished(learner):  # an estimator is fitted once
        return dict.fromkeys(threads, first)
    steps = max(1, min(_STEPS, int(_PATIENCE / (10 * first))))
    for _ in range(_ROUNDS):
        for number in threads:
            with computing(number):
                times[number].append(_seconds(learner, steps))
        if time.perf_counter() - begun > _PATIENCE:
            break
    return {number: statistics.median(values) for number, values in times.items()}


def _seconds(learner: Learner, steps: int) -> float:
    """Of one step, after one that warms up where steps are quick."""
    if steps > 1:
        learner.step()
    start = time.perf_counter()
    for _ in range(steps):
        learner.step()
    _wait()
    return (time.perf_counter() - start) / steps


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def best_threads(signature: str, make: Callable[[], Learner]) -> int:
    """The number of threads for a configuration on this machine: 1 unless more are faster by a tenth.

    Probed once; the answer is kept in the user's cache directory.
    """
    cores = available_cores()
    candidates = sorted({1, cores // 2 or 1, cores})
    if len(candidates) == 1:
        return 1
    path = user_cache_path("dlcli") / "threads.json"
    key = f"{platform.node()} {cores} {torch.__version__} {signature}"
    known = _read(path)
    if key not in known:
        _log.info("threads=auto: trying %s, once for this configuration", " and ".join(map(str, candidates)))
        seconds = seconds_a_step(make(), candidates)
        fastest = min(candidates, key=seconds.__getitem__)
        known[key] = fastest if seconds[fastest] < 0.9 * seconds[1] else 1
        _write(path, known)
    return known[key]


def _read(path: Path) -> dict[str, int]:
    try:
        known = {key: int(number) for key, number in json.loads(path.read_text()).items()}
        return {key: number for key, number in known.items() if number >= 1}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(path: Path, known: Mapping[str, int]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(known, indent=1).encode())
    except OSError:
        return  # a cache that cannot be written only costs the next run a second


def estimate(
    learner: Learner, task: Task, stops: Sequence[tuple[str, int | float]], eval_every: int | None
) -> dict[str, int | float | None]:
    """Steps and seconds that a run will take, scoring included, from a few steps of its learner.

    Args:
        stops: limits by counter, as the engine has them.
        eval_every: steps between scorings; None is once an epoch.
    """
    counts = learner.step().counts
    seconds = seconds_a_step(learner, [torch.get_num_threads()])[torch.get_num_threads()]
    start = time.perf_counter()
    if learner.model is not None:
        score(learner.model, task, "valid")
    scoring = time.perf_counter() - start
    every = eval_every or max(1, task.size("train") // max(1, counts.get("batches", 1)))
    found = [limit for name, limit in stops if name == "seconds"]
    steps = [limit / (counts.get(name) or 1 if name != "steps" else 1) for name, limit in stops if name != "seconds"]
    steps = [1.0] if finished(learner) else steps
    if steps:
        found.append(min(steps) * (seconds + scoring / every) + 2 * scoring)
    return {
        "steps": math.ceil(min(steps)) if steps else None,
        "milliseconds_a_step": 1000 * seconds,
        "seconds": min(found, default=None),
    }
