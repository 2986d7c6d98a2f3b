"""Executor on Slurm, by submitit."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import submitit
from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import FailedJobError, UncompletedJobError

from dlcli.core.errors import UsageError
from dlcli.core.executor import EventCallback, Job, JobResult, JobRunner, ignore_events
from dlcli.launch.messages import perform_with_events
from dlcli.launch.remote import ClusterExecutor, WorkerDied

_POLL = 0.5  # seconds between two checks
_WARNING = 120  # seconds between SIGUSR1 and the end of a job
_MAX_QUEUED = 1000  # jobs in the queue without --jobs
_TIME_LIMIT = 24 * 60  # minutes


class SlurmExecutor(ClusterExecutor):
    """Executor with one batch job per job. Before its time limit a job receives SIGUSR1, saves itself and is requeued.

    Site-specific settings are Slurm's environment variables, which override the script: SBATCH_PARTITION,
    SBATCH_ACCOUNT, SBATCH_TIMELIMIT, SBATCH_GRES, SBATCH_CPUS_PER_TASK ...

    Args:
        perform: executes a job; a module-level function that the nodes can import.
        jobs: maximum number of jobs in the queue.
        listen: called with (job number, event) for every event.
        folder: on a file system that all nodes share.
        cluster: `slurm`, or submitit's `local` for tests.
    """

    def __init__(
        self,
        perform: JobRunner,
        jobs: int | None,
        listen: EventCallback = ignore_events,
        folder: Path = Path(),
        cluster: str | None = "slurm",
    ) -> None:
        super().__init__(jobs or _MAX_QUEUED, listen, folder)
        self._perform = perform
        os.environ["SUBMITIT_PREEMPT_SIGNAL"] = JobEnvironment.USR_SIG = "USR1"  # on which dlcli saves a checkpoint
        self._executor = submitit.AutoExecutor(folder.absolute() / "slurm", cluster=cluster)
        self._executor.update_parameters(
            name="dlcli", timeout_min=_TIME_LIMIT, cpus_per_task=1, slurm_signal_delay_s=_WARNING
        )

    def _submit(self, job: Job, box: Path) -> Any:
        try:
            return self._executor.submit(perform_with_events, self._perform, job, str(box))
        except (FailedJobError, CalledProcessError, OSError) as error:
            raise UsageError("rejected", subject="Slurm", feature="the job", reason=_line(error, -1)) from None

    def _pause(self, handles: Sequence[Any]) -> None:
        time.sleep(_POLL)

    def _result(self, handle: Any) -> JobResult | None:
        if not handle.done():
            return None
        try:
            return handle.result()
        except UncompletedJobError as error:
            raise WorkerDied(f"Slurm job {handle.job_id} died ({_line(error, 0)})") from None
        except FailedJobError as error:
            raise WorkerDied(f"Slurm job {handle.job_id} failed ({_line(error, -1)})") from None

    def _cancel(self, handle: Any) -> None:
        handle.cancel(check=False)

    def close(self) -> None:
        return


def _line(error: Exception, index: int) -> str:
    return ([line for line in str(error).splitlines() if line.strip(" -")] or [type(error).__name__])[index]
