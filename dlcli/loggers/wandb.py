"""Weights & Biases: a run of the project "dlcli" (or WANDB_PROJECT); WANDB_MODE=offline keeps it local."""

import os
from collections.abc import Mapping
from typing import Any

import wandb

from dlcli.loggers.mirror import RunDescription


class WandB:
    """Metrics as `split/name` over the column `step`; a resumed run continues the same W&B run."""

    def __init__(self, facts: RunDescription) -> None:
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "dlcli"), id=facts.id, name=facts.name, resume="allow",
            config=dict(facts.config), dir=str(facts.path / "artifacts"),
            settings=wandb.Settings(console="off", silent=True),
        )  # fmt: skip
        self._run.define_metric("*", step_metric="step")

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        self._run.log({"step": step, **{f"{split}/{name}": value for name, value in row.items()}})

    def end(self, info: Mapping[str, Any]) -> None:
        for name, value in info["metrics"].get("test", {}).items():
            self._run.summary[f"test/{name}"] = value
        self._run.finish(exit_code=info["exit_code"])
