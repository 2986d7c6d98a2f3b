"""Trackers of others that mirror a run's metrics: `logger=tensorboard|mlflow|wandb`, or a list of them."""

import importlib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from dlcli.core.errors import Missing, UsageError, nearest
from dlcli.loggers.mirror import Facts, Mirror, Tracker
from dlcli.runs.run import Run

__all__ = ["TRACKERS", "attach", "chosen"]

TRACKERS = {
    "tensorboard": ("dlcli.loggers.tensorboard", "TensorBoard"),
    "mlflow": ("dlcli.loggers.mlflow", "MLflow"),
    "wandb": ("dlcli.loggers.wandb", "WandB"),
}


def chosen(config: Mapping[str, Any]) -> Sequence[str]:
    """The trackers that a configuration asks for.

    Raises:
        UsageError: there is no such one.
        Missing: its package is not installed.
    """
    given = config.get("logger")
    if not isinstance(given, str | list | None):
        raise UsageError(f"logger is {', '.join(TRACKERS)}, a list of them, or null, not {given!r}")
    names = list(dict.fromkeys([given] if isinstance(given, str) else given or ()))
    for name in names:
        if name not in TRACKERS:
            raise UsageError(f"logger {name!r}{nearest(str(name), TRACKERS)}")
        if not _installed(name):
            raise Missing(f"logger={name} needs the package {name}: pip install 'dlcli[{name}]'")
    return names


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ValueError, ImportError):
        return False


def attach(run: Run, config: Mapping[str, Any], since: int = 0) -> None:
    """Let the configuration's trackers watch the run from a step on."""
    facts = Facts(run.path.resolve(), run.id, run.info.get("name") or run.info["label"], config, since)
    for name in chosen(config):
        run.observers.append(Mirror(name, partial(_open, name, facts), run.note))


def _open(name: str, facts: Facts) -> Tracker:
    module, cls = TRACKERS[name]
    return getattr(importlib.import_module(module), cls)(facts)
