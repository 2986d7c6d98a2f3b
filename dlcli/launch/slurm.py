"""Jobs as Slurm batch jobs, by submitit."""

import os
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import submitit
from submitit.core.job_environment import JobEnvironment
from submitit.core.utils import FailedJobError, UncompletedJobError

from dlcli.core.errors import UsageError
from dlcli.core.executor import Job, Listener, Perform, Report, deaf
from dlcli.launch.messages import perform_by_mail
from dlcli.launch.remote import Lost, Remote, pause

_LOOK = 0.5  # seconds between two looks
_WARNING = 120  # seconds before its end that a job is told to save itself
_ALL = 1000  # jobs in the queue where nobody says how many
_MINUTES = 24 * 60


class OnSlurm(Remote):
    """A batch job a job. Before its time is up a job gets SIGUSR1: it saves itself, and is queued again to go on.

    What differs from place to place is said as Slurm has it: SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT,
    SBATCH_GRES, SBATCH_CPUS_PER_TASK ... in the environment come before what the script says.

    Args:
        perform: does a job; a function of a module that the nodes can import.
        jobs: in the queue at a time.
        listen: told how it goes.
        folder: on a file system that all nodes share.
        cluster: `slurm`, or submitit's `local` for tests.
    """

    def __init__(
        self,
        perform: Perform,
        jobs: int | None,
        listen: Listener = deaf,
        folder: Path = Path(),
        cluster: str | None = "slurm",
    ) -> None:
        super().__init__(jobs or _ALL, listen, folder)
        self._perform = perform
        os.environ["SUBMITIT_PREEMPT_SIGNAL"] = JobEnvironment.USR_SIG = "USR1"  # which dlcli saves itself at
        self._executor = submitit.AutoExecutor(folder.absolute() / "slurm", cluster=cluster)
        self._executor.update_parameters(
            name="dlcli", timeout_min=_MINUTES, cpus_per_task=1, slurm_signal_delay_s=_WARNING
        )

    def _hand_over(self, job: Job, box: Path) -> Any:
        try:
            return self._executor.submit(perform_by_mail, self._perform, job, str(box))
        except (FailedJobError, CalledProcessError, OSError) as error:
            raise UsageError(f"Slurm does not take the job: {_line(error, -1)}") from None

    def _pause(self, handles: Sequence[Any]) -> None:
        pause(_LOOK)

    def _result(self, handle: Any) -> Report | None:
        if not handle.done():
            return None
        try:
            return handle.result()
        except UncompletedJobError as error:
            raise Lost(f"its job {handle.job_id} died ({_line(error, 0)})") from None
        except FailedJobError as error:
            raise Lost(f"its job {handle.job_id} failed ({_line(error, -1)})") from None

    def _cancel(self, handle: Any) -> None:
        handle.cancel(check=False)

    def close(self) -> None:
        return


def _line(error: Exception, place: int) -> str:
    return ([line for line in str(error).splitlines() if line.strip(" -")] or [type(error).__name__])[place]
