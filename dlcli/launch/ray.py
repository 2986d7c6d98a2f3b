"""Executor on Ray: the cluster of RAY_ADDRESS, or a local one."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, TaskCancelledError

from dlcli.core.executor import EventCallback, Job, JobResult, JobRunner, ignore_events
from dlcli.launch.messages import perform_with_events
from dlcli.launch.remote import ClusterExecutor, WorkerDied

_POLL = 0.5  # seconds between two checks


class RayExecutor(ClusterExecutor):
    """Executor with one Ray task per job, and one GPU per task if the cluster has GPUs.

    Ray retries nothing: the queue resumes interrupted jobs from their checkpoints.

    Args:
        perform: executes a job; a module-level function that the workers can import.
        jobs: maximum number of jobs in parallel; None is one per processor of the cluster.
        listen: called with (job number, event) for every event.
        folder: on a file system that all workers share.
    """

    def __init__(
        self, perform: JobRunner, jobs: int | None, listen: EventCallback = ignore_events, folder: Path = Path()
    ) -> None:
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            _connect(jobs)
        resources = ray.cluster_resources()
        super().__init__(jobs or max(1, int(resources.get("CPU", 1))), listen, folder)
        options = {"num_cpus": 1, "num_gpus": 1 if resources.get("GPU") else 0, "max_retries": 0}
        task: Any = ray.remote(perform_with_events)
        self._task = task.options(**options)
        self._perform = perform

    def _submit(self, job: Job, box: Path) -> Any:
        return self._task.remote(self._perform, job, str(box))

    def _pause(self, handles: Sequence[Any]) -> None:
        ray.wait(list(handles), timeout=_POLL)

    def _result(self, handle: Any) -> JobResult | None:
        if not ray.wait([handle], timeout=0)[0]:
            return None
        try:
            return ray.get(handle)
        except TaskCancelledError:
            return JobResult(130, error="cancelled")
        except RayError as error:
            raise WorkerDied(f"the worker died ({type(error).__name__})") from None

    def _cancel(self, handle: Any) -> None:
        ray.cancel(handle, force=False)

    def close(self) -> None:
        if self._owns_ray:
            ray.shutdown()


def _connect(jobs: int | None) -> None:
    """Connect to the cluster of RAY_ADDRESS, else start a local one with `jobs` processors."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": jobs, "include_dashboard": False}
    ray.init(**local, log_to_driver=False, logging_level=logging.ERROR)
