"""Step time measured on a few steps: the fastest number of threads, and the estimated duration of a run."""

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
from dlcli.engine.device import numeric_settings
from dlcli.runs.files import replace_file

_log = logging.getLogger("dlcli")
_STEPS = 5
_ROUNDS = 5
_MAX_SECONDS = 4.0  # of a measurement
_MIN_SPEEDUP = 0.9  # more threads must take less than this fraction of the time of one


def seconds_per_step(learner: Learner, threads: Sequence[int]) -> dict[int, float]:
    """Measure the median seconds per step for each number of threads, in interleaved rounds.

    The learner is trained by the measurement and must not be used afterwards.
    """
    times: dict[int, list[float]] = {number: [] for number in threads}
    start = time.perf_counter()
    learner.step()
    first = time.perf_counter() - start
    if finished(learner):  # an estimator is fitted once
        return dict.fromkeys(threads, first)
    steps = max(1, min(_STEPS, int(_MAX_SECONDS / (10 * first))))
    for _ in range(_ROUNDS):
        for number in threads:
            with numeric_settings(number):
                times[number].append(_seconds(learner, steps))
        if time.perf_counter() - start > _MAX_SECONDS:
            break
    return {number: statistics.median(values) for number, values in times.items()}


def _seconds(learner: Learner, steps: int) -> float:
    """Mean seconds per step, after one warm-up step if steps are short."""
    if steps > 1:
        learner.step()
    start = time.perf_counter()
    for _ in range(steps):
        learner.step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def best_threads(signature: str, make: Callable[[], Learner]) -> int:
    """Return the number of threads for a configuration on this machine: 1 unless more are at least 10 % faster.

    Measured once per machine and configuration, and cached in the user's cache directory.

    Args:
        signature: hash of the configuration.
        make: builds a learner to measure.
    """
    cores = available_cores()
    candidates = sorted({1, cores // 2 or 1, cores})
    if len(candidates) == 1:
        return 1
    path = user_cache_path("dlcli") / "threads.json"
    key = f"{platform.node()} {cores} {torch.__version__} {signature}"
    cache = _read(path)
    if key not in cache:
        _log.info("threads=auto: measuring %s threads (cached)", " and ".join(map(str, candidates)))
        seconds = seconds_per_step(make(), candidates)
        fastest = min(candidates, key=seconds.__getitem__)
        cache[key] = fastest if seconds[fastest] < _MIN_SPEEDUP * seconds[1] else 1
        _write(path, cache)
    return cache[key]


def _read(path: Path) -> dict[str, int]:
    try:
        cache = {key: int(number) for key, number in json.loads(path.read_text()).items()}
        return {key: number for key, number in cache.items() if number >= 1}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(path: Path, cache: Mapping[str, int]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps(cache, indent=1).encode())
    except OSError:
        return  # without the cache the next run measures again


def estimate(
    learner: Learner, task: Task, stops: Sequence[tuple[str, int | float]], eval_every: int | None
) -> dict[str, int | float | None]:
    """Estimate steps and seconds of a run, evaluation included, from a few steps of its learner.

    Args:
        stops: limits by counter, from `dlcli.core.limits.limits`.
        eval_every: steps between evaluations; None is once per epoch.

    Returns:
        "steps", "milliseconds_a_step" and "seconds"; None for a number that the limits do not determine.
    """
    counts = learner.step().counts
    seconds = seconds_per_step(learner, [torch.get_num_threads()])[torch.get_num_threads()]
    start = time.perf_counter()
    if learner.model is not None:
        score(learner.model, task, "valid")
    evaluation = time.perf_counter() - start
    every = eval_every or max(1, task.size("train") // max(1, counts.get("batches", 1)))
    durations = [limit for name, limit in stops if name == "seconds"]
    steps = [limit / (counts.get(name) or 1 if name != "steps" else 1) for name, limit in stops if name != "seconds"]
    steps = [1.0] if finished(learner) else steps
    if steps:
        durations.append(min(steps) * (seconds + evaluation / every) + 2 * evaluation)
    return {
        "steps": math.ceil(min(steps)) if steps else None,
        "milliseconds_a_step": 1000 * seconds,
        "seconds": min(durations, default=None),
    }
