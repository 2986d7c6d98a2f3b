"""Predictions of a finished run for new data without targets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from dlcli.config import run_config
from dlcli.core.errors import UsageError
from dlcli.core.evaluation_mode import evaluation_mode
from dlcli.core.task import Carry, PredictsNew
from dlcli.engine.device import choose_device, numeric_settings
from dlcli.engine.evaluate import restored, thread_count
from dlcli.engine.options import captured_messages
from dlcli.runs.run import Run

Columns = dict[str, np.ndarray]


def predict_file(
    source: Run, path: Path, overrides: Sequence[str] = (), *, last: bool = False, quiet: bool = False
) -> Columns:
    """Predict for every sample of a file or folder with the best checkpoint of a run.

    Scaling, categories and class names are those fitted on the training data; targets in the file are not read.

    Args:
        source: the run.
        path: a file or folder in the format of the run's task.
        overrides: of the run's configuration, such as `device=cpu`.
        last: only the forecasts from the last window of each series.
        quiet: do not print remarks about the data.

    Raises:
        UsageError: the task of the run does not read files, or the file does not fit the model.
    """
    path = path.expanduser()
    if not path.exists():
        raise UsageError("missing_file", path=path)
    config = run_config.change(run_config.read(source.path / "config.yaml"), list(overrides))
    task_config = config.get("task")
    if not isinstance(task_config, Mapping) or "path" not in task_config:
        name = source.info.get("task") or "this task"
        hint = f"Its own splits: dlcli eval {source.id} --predictions FILE.csv"
        raise UsageError("unsupported", subject=f"task={name}", feature="predictions for a file", hint=hint)
    config = {**config, "task": {**task_config, "path": str(path)}}
    with numeric_settings(thread_count(config["threads"])), captured_messages(quiet):
        model, task = restored(source, config, choose_device(config["device"]))
        if not isinstance(task, PredictsNew):
            raise UsageError("unsupported", subject=type(task).__name__, feature="predictions for a file")
        splits = [name for name in task.prediction_splits if name == "future"] if last else task.prediction_splits
        if not splits:
            raise UsageError("requires", key="--last", requirement="a run that forecasts a series")
        return predict_splits(model, task, splits)


def predict_splits(model: nn.Module, task: Any, splits: Sequence[str]) -> Columns:
    """Collect the predictions of splits, in evaluation mode."""
    parts: list[Columns] = []
    with evaluation_mode(model):
        for split in splits:
            carry: Carry = None
            for index in range(task.size(split)):
                columns, carry = task.predicted(model, task.batch(split, index), carry)
                parts.append(columns)
    if not parts:
        raise UsageError("required", key="the file", reason="it has no sample to predict for")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
