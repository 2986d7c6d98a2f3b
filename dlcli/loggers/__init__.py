"""Experiment trackers that mirror the metrics of a run: `logger=tensorboard|mlflow|wandb`, or a list of them."""

import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from dlcli.core.errors import Missing, UsageError, install_command
from dlcli.loggers.mirror import RunDescription, Tracker, TrackerThread
from dlcli.runs.run import Run

__all__ = ["TRACKERS", "attach", "tracker_names"]

TRACKERS = {
    "tensorboard": ("dlcli.loggers.tensorboard", "TensorBoard"),
    "mlflow": ("dlcli.loggers.mlflow", "MLflow"),
    "wandb": ("dlcli.loggers.wandb", "WandB"),
}


def tracker_names(config: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the configured trackers.

    Raises:
        UsageError: a tracker is unknown.
        Missing: the package of a tracker is not installed.
    """
    value = config.get("logger")
    if not isinstance(value, str | list | None):
        must = f"{', '.join(TRACKERS)}, a list of them, or null"
        raise UsageError("invalid_value", key="logger", must=must, got=value)
    names = list(dict.fromkeys([value] if isinstance(value, str) else value or ()))
    for name in names:
        if name not in TRACKERS:
            raise UsageError("unknown_name", kind="logger", name=name, known=TRACKERS)
        if not _installed(name):
            hint = install_command(name)
            raise Missing("missing_package", feature=f"logger={name}", package=name, hint=hint)
    return names


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ValueError, ImportError):
        return False


def attach(run: Run, config: Mapping[str, Any], since: int = 0) -> None:
    """Attach the configured trackers to a run; they receive the rows after step `since`."""
    facts = RunDescription(run.path.resolve(), run.id, run.info.get("name") or run.info["label"], config, since)
    for name in tracker_names(config):
        run.observers.append(TrackerThread(name, partial(_open, name, facts), run.note))


def _open(name: str, facts: RunDescription) -> Tracker:
    module, cls = TRACKERS[name]
    return getattr(importlib.import_module(module), cls)(facts)
