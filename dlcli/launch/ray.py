"""Jobs as tasks of a Ray cluster: the one that RAY_ADDRESS names, or one of this machine's own."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, TaskCancelledError

from dlcli.core.executor import Job, Listener, Perform, Report, deaf
from dlcli.launch.messages import perform_by_mail
from dlcli.launch.remote import Lost, Remote

_LOOK = 0.5  # seconds between two looks


class OnRay(Remote):
    """A task a job, one GPU each where the cluster has any. Ray runs nothing again: the ledger does, from checkpoints.

    Args:
        perform: does a job; a function of a module that the workers can import.
        jobs: at a time; None is one for each processor of the cluster.
        listen: told how it goes.
        folder: on a file system that all workers share.
    """

    def __init__(self, perform: Perform, jobs: int | None, listen: Listener = deaf, folder: Path = Path()) -> None:
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(jobs)
        found = ray.cluster_resources()
        super().__init__(jobs or max(1, int(found.get("CPU", 1))), listen, folder)
        options = {"num_cpus": 1, "num_gpus": 1 if found.get("GPU") else 0, "max_retries": 0}
        task: Any = ray.remote(perform_by_mail)
        self._task = task.options(**options)
        self._perform = perform

    def _hand_over(self, job: Job, box: Path) -> Any:
        return self._task.remote(self._perform, job, str(box))

    def _pause(self, handles: Sequence[Any]) -> None:
        ray.wait(list(handles), timeout=_LOOK)

    def _result(self, handle: Any) -> Report | None:
        if not ray.wait([handle], timeout=0)[0]:
            return None
        try:
            return ray.get(handle)
        except TaskCancelledError:
            return Report(130, error="cancelled")
        except RayError as error:
            raise Lost(f"its worker died ({type(error).__name__})") from None

    def _cancel(self, handle: Any) -> None:
        ray.cancel(handle, force=False)

    def close(self) -> None:
        if self._ours:
            ray.shutdown()


def _connect(jobs: int | None) -> None:
    """The cluster that RAY_ADDRESS names, else a new one with as many processors as jobs."""
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": jobs, "include_dashboard": False}
    ray.init(**own, log_to_driver=False, logging_level=logging.ERROR)
