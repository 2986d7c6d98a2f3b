"""Estimated cost of a sketch run: training of the network, if any, and sketching."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcli.commands.sketch import append, bench, configuration, sketch
from dlcli.commands.sketch.writer import KINDS, SceneRange
from dlcli.config import compose
from dlcli.config.budget import solve_budget
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.engine.device import choose_device, numeric_settings
from dlcli.engine.estimate import estimate_training
from dlcli.engine.evaluate import thread_count
from dlcli.engine.options import Options
from dlcli.runs.run import Run
from dlcli.sketching.recursive.benchmark import measure


def estimate(point: compose.Point, options: Options) -> Mapping[str, Any]:
    """Estimate sizes and time of a sketch run including the training of its network: one row of `--dry-run`.

    Raises:
        UsageError: the configuration is invalid.
    """
    config = solve_budget(point.resolved())
    sketch.check(config)
    if config["bench"] is not None:
        return _of_bench(point, config)
    trains = {} if config["from"] else estimate_training(configuration.training(point))
    scenes, milliseconds = _of_scenes(config, options)
    seconds = trains.get("seconds", 0.0) + scenes * milliseconds / 1000
    row = {"what": point.label, "words": list(point.words), "scenes": scenes, "milliseconds_a_scene": milliseconds}
    if trains:
        row["training_seconds"] = trains["seconds"]
    return {**trains, **row, "device": str(choose_device(config["device"])), "seconds": seconds}


def _of_scenes(config: dict[str, Any], options: Options) -> tuple[int, float]:
    """Number of scenes and milliseconds per scene, measured on the second of two equal batches."""
    device = choose_device(config["device"])
    matrices, base = sketch.matrices_of(config, device), append.base_of(config, options)
    built, network, scenes = sketch.build_network(
        config, device, Run.open(Path(config["from"])) if config["from"] else None
    )
    if base is not None:
        base.check(sketch.about(config, matrices, built.model, network), scenes)
    x = scenes.to(device).batch(config["split"], 0).inputs[0]
    with numeric_settings(thread_count(config["threads"])), evaluation_mode(built.model):
        for _ in range(2):  # the first batch includes the generation of the matrices
            start = time.perf_counter()
            KINDS[config["kind"]](network.objects(x).objects, matrices, config["scale"])
            seconds = time.perf_counter() - start
    return _count(scenes, config["split"]), 1000 * seconds / len(x)


def _count(scenes: SceneRange, split: str) -> int:
    """Number of scenes, without reading the batches between the second and the last one."""
    last = scenes.size(split) - 1
    between = max(0, last - 1) * len(scenes.batch(split, min(1, last)))
    return len(scenes.batch(split, 0)) + between + (len(scenes.batch(split, last)) if last else 0)


def _of_bench(point: compose.Point, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Estimate from the time of one seed at the smallest dimension, extrapolated linearly."""
    trees = bench.trees_of(config)
    least = min(trees.dimensions)
    with numeric_settings(thread_count(config["threads"])):
        start = time.perf_counter()
        for _ in measure(replace(trees, dimensions=[least], seeds=1, exact=min(trees.exact, least)), lambda done: None):
            pass
        once = time.perf_counter() - start
    seconds = once * trees.seeds * sum(size / least for size in trees.dimensions)
    row = {"what": point.label, "words": list(point.words), "device": "cpu"}
    return {**row, "matrices": trees.seeds * len(trees.dimensions), "seconds": seconds}
