"""`dlcli compare models task=... model=a,b,c`: parameters, multiply-adds and step time without training."""

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dlcli.config import build, compose
from dlcli.config.budget import solve_budget
from dlcli.core.errors import UsageError
from dlcli.core.needs import require_loss
from dlcli.core.task import Task
from dlcli.engine.device import choose_device
from dlcli.engine.options import captured_messages
from dlcli.engine.threads import seconds_per_step
from dlcli.report import terminal_tables
from dlcli.report.table_formats import Column, Table, to_csv

COLUMNS = (
    Column("model", "text", ("what",)),
    Column("task", "text", ("task",)),
    Column("parameters", "count", ("parameters",)),
    Column("multiply-adds per sample", "count", ("multiply_adds",)),
    Column("ms per step", "figure", ("milliseconds",)),
    Column("batch", "count", ("batch",)),
    Column("threads", "count", ("threads",)),
    Column("device", "text", ("device",)),
    Column("error", "text", ("error",)),
)


def main(overrides: Sequence[str], extra: Sequence[Path], smoke: bool, as_json: bool, as_csv: bool) -> int:
    """Print one row per model; the row of a model that cannot be built has the error.

    Args:
        overrides: recipe and KEY=VALUE overrides; commas make several models.
        extra: additional configuration folders.
        smoke: use the tiny sizes of `--smoke`.
        as_json: print JSON instead of a table.
        as_csv: print CSV instead of a table.

    Raises:
        UsageError: an override is invalid, or no model can be built.
    """
    points = compose.expand("train", overrides, extra=extra, smoke=smoke)
    rows = [measure(point) for point in points]
    if all("error" in row for row in rows):
        raise UsageError("\n".join(dict.fromkeys(row["error"] for row in rows)))
    table = Table("models", COLUMNS, rows).filled()
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    elif as_csv:
        sys.stdout.write(to_csv(table))
    else:
        terminal_tables.print_formatted_table(table, 3)
    return 0


def measure(point: compose.Point) -> dict[str, Any]:
    """Return the costs of a model, or the error with which it cannot be built."""
    shared = ("task", "model", "seed", "threads", "device")
    own = [override for override in point.words if override.partition("=")[0] not in shared]
    name = {"what": " ".join([point.choices["model"], *own]), "task": point.choices["task"]}
    try:
        with captured_messages(quiet=True):
            return name | _costs(point)
    except UsageError as error:
        return name | {"error": str(error).splitlines()[0]}


def _costs(point: compose.Point) -> dict[str, Any]:
    config = solve_budget(point.resolved())
    device = choose_device(config["device"])
    threads = _threads(config)
    built = build.build(config, device)
    return {
        "parameters": built.parameters,
        "multiply_adds": multiply_adds(built.model, built.task),
        "milliseconds": 1000 * seconds_per_step(built.learner, [threads])[threads],
        "batch": len(built.task.batch("train", 0)),
        "threads": threads,
        "device": str(device),
    }


def _threads(config: Mapping[str, Any]) -> int:
    """Number of threads; 1 for `auto`, so that all models are measured with the same number."""
    threads = config["threads"]
    if threads != "auto" and (not isinstance(threads, int) or threads < 1):
        raise UsageError("invalid_value", key="threads", must="an integer of at least 1, or auto", got=threads)
    return 1 if threads == "auto" else threads


def multiply_adds(model: nn.Module, task: Task) -> int:
    """Count the multiply-adds of matrix products and convolutions in the forward pass of one sample's loss.

    PyTorch's counter counts two operations per multiply-add, and counts recurrent kernels only if oneDNN is disabled.
    """
    supervised = require_loss(task, "compare models")
    batch = task.batch("train", 0)
    training = model.training
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about missing Intel GPUs
            with torch.backends.mkldnn.flags(enabled=False), torch.no_grad(), FlopCounterMode(display=False) as counter:
                supervised.loss(model.eval(), batch)
    finally:
        model.train(training)
    return round(counter.get_total_flops() / 2 / len(batch))
