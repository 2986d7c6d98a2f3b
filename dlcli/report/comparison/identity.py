"""What makes two runs one experiment: the signature, whose weights they began with, and their patience."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from dlcli.report.configuration import read_settings
from dlcli.runs.run import Run


@dataclass(frozen=True)
class Settings:
    """What a signature does not tell of a configuration.

    Args:
        readable: whether there is a configuration at all.
        patience: scorings without a better one that end the run; None is no end.
        eval_every: steps between two scorings; None is once an epoch.
    """

    readable: bool
    patience: Any = None
    eval_every: Any = None


def settings(run: Run) -> Settings:
    """Read the settings from the resolved configuration."""
    known = read_settings(run.path)
    return Settings(bool(known), known.get("patience"), known.get("eval_every"))


def origin(run: Run) -> str | None:
    """The run whose weights this one began with, and the beginning of their hash; None for weights of its own."""
    told = run.record.init_from
    return f"{told.get('run')} {str(told.get('sha256'))[:8]}" if told is not None else None


def identity(signature: str, began: str | None = None, patience: Any = None) -> str:
    """The signature itself where nothing else is said, else a hash of all three."""
    if began is None and patience is None:
        return signature
    return hashlib.sha256(json.dumps([signature, began, patience], default=str).encode()).hexdigest()


def experiment(run: Run, known: Settings | None = None) -> str:
    """Runs of one experiment differ in nothing but the seed; `known` are its settings where they were read."""
    patience = (known or settings(run)).patience
    return identity(str(run.info.get("signature")), origin(run), patience)
