"""What makes two runs one experiment: the signature, whose weights they began with, and their patience."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcli.report.facts import read_config
from dlcli.runs.run import Run

_TOP = re.compile(r"^(patience|eval_every): (null|\d+)$", re.MULTILINE)
"""As our own config.yaml has them: several times as fast as all of it."""
_BLOCK = re.compile(r"[A-Za-z_]\w*:(?: |\n)")


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
    """From config.yaml, read no further than needed."""
    try:
        with open(f"{run.path}/config.yaml", encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return Settings(False)
    found = dict(_TOP.findall(text))
    if _BLOCK.match(text) and all(name in found or name not in text for name in ("patience", "eval_every")):
        return Settings(True, **{key: None if value == "null" else int(value) for key, value in found.items()})
    config = read_config(run)
    return Settings(bool(config), config.get("patience"), config.get("eval_every"))


def origin(run: Run) -> str | None:
    """The run whose weights this one began with, and the beginning of their hash; None for weights of its own."""
    told = run.info.get("init_from")
    return f"{told.get('run')} {str(told.get('sha256'))[:8]}" if isinstance(told, Mapping) else None


def identity(signature: str, began: str | None = None, patience: Any = None) -> str:
    """The signature itself where nothing else is said, else a hash of all three."""
    if began is None and patience is None:
        return signature
    return hashlib.sha256(json.dumps([signature, began, patience], default=str).encode()).hexdigest()


def experiment(run: Run, known: Settings | None = None) -> str:
    """Runs of one experiment differ in nothing but the seed; `known` are its settings where they were read."""
    patience = (known or settings(run)).patience
    return identity(str(run.info.get("signature")), origin(run), patience)
