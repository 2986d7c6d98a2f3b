"""`dlcli sketch bench`: error of the decoders against dimension, depth and erased part, as a run."""

import csv
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcli.config import compose, identity, run_config
from dlcli.config.budget import settle_budget
from dlcli.core.errors import UsageError, nearest
from dlcli.core.learner import Curves, Leaf, Rows
from dlcli.core.metric import Direction, Metric
from dlcli.engine.evaluate import thread_count
from dlcli.engine.fit import Ending
from dlcli.engine.lifecycle import keep, lifecycle
from dlcli.engine.options import Options
from dlcli.engine.train import keep_environment
from dlcli.report import terminal_tables
from dlcli.report.formatting import number
from dlcli.runs.run import Run
from dlcli.sketching.recursive.benchmark import Row, Trees, measured, slopes
from dlcli.sketching.recursive.erasure_metrics import erasure, recovery
from dlcli.sketching.recursive.scale import Scale

_ERROR = "mean of the largest error of an object"
_COLUMNS = ("scale", "decoder", "dimension", "keep", "depth", "seed", "error")
_KEYS = ("dimensions", "keep", "scales", "depth", "width", "scenes", "seeds", "exact")


def run(point: compose.Point, config: Mapping[str, Any], options: Options) -> Run:
    """A new run of measurements, to its end.

    Raises:
        UsageError: a value is wrong; there is no run directory then.
    """
    trees = asked(config)
    core = identity.core(settle_budget(point.resolved(seed=0)))
    made = Run.create(
        options.out, point.verb, point.label, run_config.dump(config), config,
        **options.facts, name=options.name, tags=list(options.tags), parent=options.parent, argv=list(options.argv),
        words=list(point.words), recipe=point.recipe, task="trees", model="none", seed=config["seed"], core=core,
        signature=identity.signature(core, config["until"]), code=identity.code_record(config), parameters=0, steps=0,
        seconds=0.0,
        goal={"metric": "slope_identity", "direction": "min"}, remark=config.get("remark"),
    )  # fmt: skip
    begun, threads = time.monotonic(), thread_count(config["threads"])
    with lifecycle(made, "slope_identity", options) as active:
        keep_environment(made, "cpu", threads, config)
        with active.foreground(threads), active.signals.at_once():
            rows = list(measured(trees, lambda done: active.display.tick(round(100 * done), done, {})))
        found = slopes(rows)
        made.info["slopes"] = found
        errors, shares = metrics(rows) | erasure(rows), recovery(config["seed"])
        made.info["metrics"] = {"test": errors | shares}
        directions: dict[str, Direction] = {**dict.fromkeys(errors, "min"), **dict.fromkeys(shares, "max")}
        made.info["metric_info"] = {name: Metric(name, to).info() for name, to in directions.items()}
        made.info["seconds"], made.info["steps"] = round(time.monotonic() - begun, 3), len(rows)
        made.log(len(rows), "test", made.info["metrics"]["test"])
        keep(made, leaves(rows))
        active.ending = Ending("completed", 0, f"{len(rows):,} measurements")
    return made


def asked(config: Mapping[str, Any]) -> Trees:
    """What is to be measured.

    Raises:
        UsageError: a key or a value is wrong.
    """
    given = config["bench"]
    for key in given:
        if key not in _KEYS:
            raise UsageError(f"bench.{key}{nearest(key, _KEYS)}")
    if min(len(given["dimensions"]), given["depth"], given["scenes"], given["seeds"]) < 1:
        raise UsageError("bench: dimensions, depth, scenes and seeds are at least 1")
    if given["width"] > min(given["dimensions"]):
        raise UsageError(
            f"bench: dimension {min(given['dimensions'])} cannot hold attributes of {given['width']} values"
        )
    first = config["seed"] * given["seeds"]  # so that no two runs measure with the same matrices
    return Trees(config["matrix"], block=config["block"], density=config["density"], first=first, **given)


def metrics(rows: Sequence[Row]) -> dict[str, float]:
    """Slopes, and the error of least squares where it was solved."""
    found = {f"slope_{name}": value for name, value in slopes(rows).items()}
    exact = [row for row in rows if row.decoder == "lsq" and row.keep == 1]
    largest = max((row.dimension for row in exact), default=0)
    for scale in dict.fromkeys(row.scale for row in exact):
        worst = [row.error for row in exact if row.scale == scale and row.dimension == largest]
        found[f"error_lsq_{scale}"] = max(worst)
    return found


def means(rows: Sequence[Row]) -> dict[tuple[str, str, int, float, int], float]:
    """Errors by scale, decoder, dimension, kept part and depth: the mean over seeds."""
    groups: dict[tuple[str, str, int, float, int], list[float]] = {}
    for row in rows:
        groups.setdefault((row.scale, row.decoder, row.dimension, row.keep, row.depth), []).append(row.error)
    return {key: sum(errors) / len(errors) for key, errors in groups.items()}


def leaves(rows: Sequence[Row]) -> dict[str, Leaf]:
    """The table, and curves over the dimension and over what is kept."""
    found = means(rows)
    largest = max(key[2] for key in found)
    over_size = _lines(found, lambda key: key[3] == 1, lambda key: float(key[2]))
    over_keep = _lines(found, lambda key: key[2] == largest, lambda key: key[3])
    return {
        "bench": Rows(_COLUMNS, [list(asdict(row).values()) for row in rows]),
        **{f"bench_{scale}": Curves("dimension", own, _ERROR, "xy") for scale, own in over_size.items()},
        **{f"bench_erased_{scale}": Curves("part kept", own, _ERROR, "xy") for scale, own in over_keep.items()},
    }


def _lines(
    found: Mapping[tuple[str, str, int, float, int], float],
    chosen: Callable[[tuple[str, str, int, float, int]], bool],
    across: Callable[[tuple[str, str, int, float, int]], float],
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    lines: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for key, error in sorted(found.items()):
        if chosen(key):
            name = f"{key[1]}, depth {key[4]}"
            lines.setdefault(key[0], {}).setdefault(name, []).append((across(key), error))
    return lines


def print_result(run: Run) -> None:
    """Print the errors that a benchmark of the decoders has measured; nothing for other runs."""
    if "slopes" not in run.info:
        return
    found = means(read(run.path / "artifacts" / "bench.csv"))
    depths = sorted({key[4] for key in found})
    lines = [
        [
            scale,
            str(size),
            decoder,
            f"{keep:g}",
            *(number(found[scale, decoder, size, keep, depth]) for depth in depths),
        ]
        for scale, decoder, size, keep in dict.fromkeys(key[:4] for key in sorted(found))
        if keep == 1 or size == max(key[2] for key in found)
    ]
    titles = ["scale", "dimension", "decoder", "kept", *(f"error at depth {depth}" for depth in depths)]
    terminal_tables.print_table(titles, lines, numeric=titles[1:2] + titles[3:])


def read(path: Path) -> list[Row]:
    """The rows of a run's bench.csv."""
    with path.open() as file:
        return [_row(row) for row in csv.DictReader(file)]


def _row(row: Mapping[str, str]) -> Row:
    scale: Scale = "paper" if row["scale"] == "paper" else "isometric"
    size, depth, seed = (int(row[name]) for name in ("dimension", "depth", "seed"))
    return Row(scale, row["decoder"], size, float(row["keep"]), depth, seed, float(row["error"]))
