"""Estimated cost of a run of sketches: the training it begins with, if any, and the scenes."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli.commands.sketch import append, bench, configuration, sketch
from dlcli.commands.sketch.writer import KINDS, Window
from dlcli.config import compose
from dlcli.config.budget import settle_budget
from dlcli.core.evaluation_mode import evaluating
from dlcli.engine.device import choose_device, computing
from dlcli.engine.estimate import estimate_training
from dlcli.engine.evaluate import thread_count
from dlcli.engine.options import Options
from dlcli.runs.run import Run
from dlcli.sketching.recursive.benchmark import measured


def estimate(point: compose.Point, options: Options) -> Mapping[str, Any]:
    """Estimate sizes and time of a run of sketches, with the training that it begins with: one row of `--dry-run`.

    Raises:
        UsageError: the run would not begin.
    """
    config = settle_budget(point.resolved())
    sketch.check(config)
    if config["bench"] is not None:
        return _of_bench(point, config)
    trains = {} if config["from"] else estimate_training(configuration.training(point))
    scenes, milliseconds = _of_scenes(config, options)
    seconds = trains.get("seconds", 0.0) + scenes * milliseconds / 1000
    said = {"what": point.label, "words": list(point.words), "scenes": scenes, "milliseconds_a_scene": milliseconds}
    if trains:
        said["training_seconds"] = trains["seconds"]
    return {**trains, **said, "device": str(choose_device(config["device"])), "seconds": seconds}


def _of_scenes(config: dict[str, Any], options: Options) -> tuple[int, float]:
    """How many there are, and the time of one, from the second of two equal batches."""
    device = choose_device(config["device"])
    matrices, before = sketch.matrices_of(config, device), append.before(config, options)
    built, network, window = sketch.tried(config, device, Run.open(Path(config["from"])) if config["from"] else None)
    if before is not None:
        before.check(sketch.about(config, matrices, built.model, network), window)
    x = window.to(device).batch(config["split"], 0).inputs[0]
    with computing(thread_count(config["threads"])), evaluating(built.model):
        for _ in range(2):  # the first one makes the matrices
            begun = time.perf_counter()
            KINDS[config["kind"]](network.objects(x).objects, matrices, config["scale"])
            seconds = time.perf_counter() - begun
    return _scenes(window, config["split"]), 1000 * seconds / len(x)


def _scenes(window: Window, split: str) -> int:
    last = window.size(split) - 1
    between = max(0, last - 1) * len(window.batch(split, min(1, last)))
    return len(window.batch(split, 0)) + between + (len(window.batch(split, last)) if last else 0)


def _of_bench(point: compose.Point, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The time of one seed at the smallest dimension, times how many values there are of both."""
    trees = bench.asked(config)
    least = min(trees.dimensions)
    with computing(thread_count(config["threads"])):
        begun = time.perf_counter()
        for _ in measured(
            replace(trees, dimensions=[least], seeds=1, exact=min(trees.exact, least)), lambda done: None
        ):
            pass
        once = time.perf_counter() - begun
    seconds = once * trees.seeds * sum(size / least for size in trees.dimensions)
    said = {"what": point.label, "words": list(point.words), "device": "cpu"}
    return {**said, "matrices": trees.seeds * len(trees.dimensions), "seconds": seconds}
