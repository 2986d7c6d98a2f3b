"""`dlcli compare models task=... model=a,b,c`: size, work and time of models, without training."""

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
from dlcli.config.budget import settle_budget
from dlcli.core.errors import UsageError
from dlcli.core.needs import require_loss
from dlcli.core.task import Task
from dlcli.engine.device import choose_device
from dlcli.engine.options import listening
from dlcli.engine.threads import seconds_a_step
from dlcli.report import terminal_tables
from dlcli.report.table_formats import Column, Table, to_csv

COLUMNS = (
    Column("what", "text", ("what",)),
    Column("task", "text", ("task",)),
    Column("parameters", "count", ("parameters",)),
    Column("multiply-adds a sample", "count", ("multiply_adds",)),
    Column("ms a step", "figure", ("milliseconds",)),
    Column("batch", "count", ("batch",)),
    Column("threads", "count", ("threads",)),
    Column("device", "text", ("device",)),
    Column("why not", "text", ("error",)),
)


def main(words: Sequence[str], extra: Sequence[Path], smoke: bool, as_json: bool, as_csv: bool) -> int:
    """One line a model; one that cannot be built is a marked line."""
    points = compose.expand("train", words, extra=extra, smoke=smoke)
    rows = [measured(point) for point in points]
    if all("error" in row for row in rows):
        raise UsageError("\n".join(dict.fromkeys(row["error"] for row in rows)))
    table = Table("models", COLUMNS, rows).filled()
    if as_json:
        print(json.dumps(rows, indent=1))  # noqa: T201
    elif as_csv:
        sys.stdout.write(to_csv(table))
    else:
        terminal_tables.print_written(table, 3)
    return 0


def measured(point: compose.Point) -> dict[str, Any]:
    """What a model costs, or why it cannot be built."""
    named = {"what": " ".join([point.choices["model"], *_own(point.words)]), "task": point.choices["task"]}
    try:
        with listening(quiet=True):
            return named | _measure(point)
    except UsageError as error:
        return named | {"error": str(error).splitlines()[0]}


def _own(words: Sequence[str]) -> list[str]:
    """The words that are neither the task's, the model's nor the seed's name."""
    return [word for word in words if word.partition("=")[0] not in ("task", "model", "seed", "threads", "device")]


def _measure(point: compose.Point) -> dict[str, Any]:
    config = settle_budget(point.resolved())
    device = choose_device(config["device"])
    threads = _threads(config)
    built = build.build(config, device)
    return {
        "parameters": built.parameters,
        "multiply_adds": multiply_adds(built.model, built.task),
        "milliseconds": 1000 * seconds_a_step(built.learner, [threads])[threads],
        "batch": len(built.task.batch("train", 0)),
        "threads": threads,
        "device": str(device),
    }


def _threads(config: Mapping[str, Any]) -> int:
    """As many as said; `auto` is one here, so that every model has the same."""
    wanted = config["threads"]
    if wanted != "auto" and (not isinstance(wanted, int) or wanted < 1):
        raise UsageError(f"threads is a whole number from 1, or auto, not {wanted!r}")
    return 1 if wanted == "auto" else wanted


def multiply_adds(model: nn.Module, task: Task) -> int:
    """Multiply-adds of matrix products and convolutions of one sample's loss, forward only.

    PyTorch's counter counts two operations each, and looks into recurrent kernels only where oneDNN does not fuse them.
    """
    supervised = require_loss(task, "compare models")
    batch = task.batch("train", 0)
    training = model.training
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Intel GPUs that are not here
            with torch.backends.mkldnn.flags(enabled=False), torch.no_grad(), FlopCounterMode(display=False) as counter:
                supervised.loss(model.eval(), batch)
    finally:
        model.train(training)
    return round(counter.get_total_flops() / 2 / len(batch))
