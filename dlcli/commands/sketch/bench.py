"""`dlcli sketch bench`: decoder errors against dimension, depth and erasure, recorded as a run."""

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcli.config import compose, identity, run_config
from dlcli.config.budget import solve_budget
from dlcli.core.errors import UsageError
from dlcli.core.learner import Artifact, Curves, TableArtifact
from dlcli.core.metric import Direction, Metric
from dlcli.engine.evaluate import thread_count
from dlcli.engine.fit import RunOutcome
from dlcli.engine.lifecycle import lifecycle, save_artifacts
from dlcli.engine.options import Options
from dlcli.engine.train import save_environment
from dlcli.report import terminal_tables
from dlcli.report.formatting import number
from dlcli.runs.run import Run
from dlcli.sketching.recursive.benchmark import Measurement, TreeBenchmark, measure, slopes
from dlcli.sketching.recursive.erasure_metrics import erasure, recovery
from dlcli.sketching.recursive.scale import Scale

_ERROR = "largest attribute error, mean over objects"
_COLUMNS = ("scale", "decoder", "dimension", "keep", "depth", "seed", "error")
_KEYS = ("dimensions", "keep", "scales", "depth", "width", "scenes", "seeds", "exact")


def run(point: compose.Point, config: Mapping[str, Any], options: Options) -> Run:
    """Execute a benchmark as a new run.

    Raises:
        UsageError: a configuration value is invalid; no run directory is created.
    """
    trees = trees_of(config)
    core = identity.core(solve_budget(point.resolved(seed=0)))
    run = Run.create(
        options.out, point.verb, point.label, run_config.dump(config), config,
        **options.facts, name=options.name, tags=list(options.tags), parent=options.parent, argv=list(options.argv),
        words=list(point.words), recipe=point.recipe, task="trees", model="none", seed=config["seed"], core=core,
        signature=identity.signature(core, config["until"]), code=identity.code_record(config), parameters=0, steps=0,
        seconds=0.0,
        goal={"metric": "slope_identity", "direction": "min"}, remark=config.get("remark"),
    )  # fmt: skip
    start, threads = time.monotonic(), thread_count(config["threads"])
    with lifecycle(run, "slope_identity", options) as active:
        save_environment(run, "cpu", threads, config)
        with active.foreground(threads), active.signals.at_once():
            rows = list(measure(trees, lambda done: active.display.tick(round(100 * done), done, {})))
        run.info["slopes"] = slopes(rows)
        errors, shares = metrics(rows) | erasure(rows), recovery(config["seed"])
        run.info["metrics"] = {"test": errors | shares}
        directions: dict[str, Direction] = {**dict.fromkeys(errors, "min"), **dict.fromkeys(shares, "max")}
        run.info["metric_info"] = {name: Metric(name, to).info() for name, to in directions.items()}
        run.info["seconds"], run.info["steps"] = round(time.monotonic() - start, 3), len(rows)
        run.log(len(rows), "test", run.info["metrics"]["test"])
        save_artifacts(run, artifacts(rows))
        active.ending = RunOutcome("completed", 0, f"{len(rows):,} measurements")
    return run


def trees_of(config: Mapping[str, Any]) -> TreeBenchmark:
    """The benchmark of a configuration.

    Raises:
        UsageError: a key is unknown or a value is invalid.
    """
    given = config["bench"]
    for key in given:
        if key not in _KEYS:
            raise UsageError("unknown_key", key=f"bench.{key}", known=[f"bench.{name}" for name in _KEYS])
    sizes = {"dimensions": len(given["dimensions"]), **{name: given[name] for name in ("depth", "scenes", "seeds")}}
    for key, size in sizes.items():
        if size < 1:
            must = "at least one dimension" if key == "dimensions" else "at least 1"
            raise UsageError("invalid_value", key=f"bench.{key}", must=must, got=given[key])
    if given["width"] > min(given["dimensions"]):
        must = f"at most {min(given['dimensions'])}, the smallest of bench.dimensions"
        raise UsageError("invalid_value", key="bench.width", must=must, got=given["width"])
    first = config["seed"] * given["seeds"]  # different matrices in every run
    return TreeBenchmark(config["matrix"], block=config["block"], density=config["density"], first=first, **given)


def metrics(rows: Sequence[Measurement]) -> dict[str, float]:
    """Slopes of the errors, and the largest error of least squares per scale."""
    values = {f"slope_{name}": value for name, value in slopes(rows).items()}
    exact = [row for row in rows if row.decoder == "lsq" and row.keep == 1]
    largest = max((row.dimension for row in exact), default=0)
    for scale in dict.fromkeys(row.scale for row in exact):
        errors = [row.error for row in exact if row.scale == scale and row.dimension == largest]
        values[f"error_lsq_{scale}"] = max(errors)
    return values


def means(rows: Sequence[Measurement]) -> dict[tuple[str, str, int, float, int], float]:
    """Mean error over seeds by scale, decoder, dimension, kept fraction and depth."""
    groups: dict[tuple[str, str, int, float, int], list[float]] = {}
    for row in rows:
        groups.setdefault((row.scale, row.decoder, row.dimension, row.keep, row.depth), []).append(row.error)
    return {key: sum(errors) / len(errors) for key, errors in groups.items()}


def artifacts(rows: Sequence[Measurement]) -> dict[str, Artifact]:
    """The table of measurements, and error curves over the dimension and over the kept fraction."""
    errors = means(rows)
    largest = max(key[2] for key in errors)
    over_size = _curves(errors, lambda key: key[3] == 1, lambda key: float(key[2]))
    over_keep = _curves(errors, lambda key: key[2] == largest, lambda key: key[3])
    return {
        "bench": TableArtifact(_COLUMNS, [list(asdict(row).values()) for row in rows]),
        **{f"bench_{scale}": Curves("dimension", own, _ERROR, "xy") for scale, own in over_size.items()},
        **{f"bench_erased_{scale}": Curves("kept fraction", own, _ERROR, "xy") for scale, own in over_keep.items()},
    }


def _curves(
    errors: Mapping[tuple[str, str, int, float, int], float],
    condition: Callable[[tuple[str, str, int, float, int]], bool],
    x: Callable[[tuple[str, str, int, float, int]], float],
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Points (x, error) by scale and curve, for keys that meet a condition."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for key, error in sorted(errors.items()):
        if condition(key):
            name = f"{key[1]}, depth {key[4]}"
            curves.setdefault(key[0], {}).setdefault(name, []).append((x(key), error))
    return curves


def print_result(run: Run) -> None:
    """Print the decoder errors of a benchmark run; nothing for other runs."""
    if "slopes" not in run.info:
        return
    errors = means(read(run.path / "artifacts" / "bench.csv"))
    depths = sorted({key[4] for key in errors})
    cells = [
        [
            scale,
            str(size),
            decoder,
            f"{keep:g}",
            *(number(errors[scale, decoder, size, keep, depth]) for depth in depths),
        ]
        for scale, decoder, size, keep in dict.fromkeys(key[:4] for key in sorted(errors))
        if keep == 1 or size == max(key[2] for key in errors)
    ]
    titles = ["scale", "dimension", "decoder", "kept", *(f"error at depth {depth}" for depth in depths)]
    terminal_tables.print_table(titles, cells, numeric=titles[1:2] + titles[3:])


def read(path: Path) -> list[Measurement]:
    """Measurements of a bench.csv."""
    with path.open() as file:
        return [_row(row) for row in csv.DictReader(file)]


def _row(row: Mapping[str, str]) -> Measurement:
    scale: Scale = "paper" if row["scale"] == "paper" else "isometric"
    size, depth, seed = (int(row[name]) for name in ("dimension", "depth", "seed"))
    return Measurement(scale, row["decoder"], size, float(row["keep"]), depth, seed, float(row["error"]))
