"""Identity of an experiment: signature, origin of the initial weights, and patience."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.report.configuration import read_settings
from dlcli.runs.record import Record
from dlcli.runs.run import Run


@dataclass(frozen=True)
class Settings:
    """Settings of a run that its signature does not contain.

    Args:
        readable: True if the configuration could be read.
        patience: evaluations without improvement before early stopping; None disables it.
        eval_every: steps between evaluations; None for once per epoch.
    """

    readable: bool
    patience: Any = None
    eval_every: Any = None


def settings(run: Run) -> Settings:
    """Read the settings from the resolved configuration."""
    config = read_settings(run.path)
    return Settings(bool(config), config.get("patience"), config.get("eval_every"))


def origin(run: Run) -> str | None:
    """Run that provided the initial weights, and the first digits of their hash; None for random weights."""
    init_from = run.record.init_from
    return f"{init_from.get('run')} {str(init_from.get('sha256'))[:8]}" if init_from is not None else None


def identity(signature: str, init_from: str | None = None, patience: Any = None) -> str:
    """Identity of an experiment: a hash of all three, or the signature itself without the other two."""
    if init_from is None and patience is None:
        return signature
    return hashlib.sha256(json.dumps([signature, init_from, patience], default=str).encode()).hexdigest()


def experiment(run: Run, run_settings: Settings | None = None) -> str:
    """Identity of the run's experiment. Runs of one experiment differ only in the seed.

    Args:
        run_settings: settings of the run; None reads them from its configuration.
    """
    patience = (run_settings or settings(run)).patience
    return identity(str(run.info.get("signature")), origin(run), patience)


def code_differences(records: Sequence[Record]) -> list[str]:
    """Classes whose source or version differs between runs, as "the source of NAME differs"."""
    codes = [record.code for record in records]
    found = []
    for name in dict.fromkeys(name for code in codes for name in code):
        for fact, subject, default in (("sha256", "source", None), ("version", "version", 1)):
            if len({str(code.get(name, {}).get(fact, default)) for code in codes}) > 1:
                found.append(f"the {subject} of {name} differs")
    return found
