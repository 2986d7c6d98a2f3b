"""MLflow: a run of the experiment "dlcli" at MLFLOW_TRACKING_URI, or in MLflow's default store."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from dlcli.loggers.mirror import RunDescription

_EXPERIMENT = "dlcli"
_MAX_LENGTH = 500  # characters of a parameter that every store accepts
_BATCH = 100  # parameters per request


class MLflow:
    """Configuration as parameters, metrics as `split/name`; a resumed run continues the same MLflow run."""

    def __init__(self, facts: RunDescription) -> None:
        self._client = MlflowClient()
        existing = self._client.get_experiment_by_name(_EXPERIMENT)
        experiment = existing.experiment_id if existing else self._client.create_experiment(_EXPERIMENT)
        runs = self._client.search_runs([experiment], f"tags.dlcli_run = '{facts.id}'", max_results=1)
        self._id = runs[0].info.run_id if runs else self._create_run(experiment, facts)

    def _create_run(self, experiment: str, facts: RunDescription) -> str:
        tags = {"dlcli_run": facts.id, "dlcli_path": str(facts.path)}
        identity = self._client.create_run(experiment, tags=tags, run_name=facts.name).info.run_id
        params = [Param(name, str(value)[:_MAX_LENGTH]) for name, value in _flat(facts.config, "")]
        for start in range(0, len(params), _BATCH):
            self._client.log_batch(identity, params=params[start : start + _BATCH])
        return identity

    def row(self, step: int, split: str, row: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        metrics = [Metric(f"{split}/{name}", value, now, step) for name, value in row.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def end(self, info: Mapping[str, Any]) -> None:
        step = (info.get("best") or {}).get("step", 0)
        self.row(max(step, 0), "test", info["metrics"].get("test", {}))
        self._client.set_terminated(self._id, "FINISHED" if info["status"] == "completed" else "FAILED")


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
