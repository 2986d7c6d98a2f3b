"""Execution of a job as a run, by every kind of worker."""

from dlcli.core.errors import Unresumable
from dlcli.core.executor import Job, JobResult, ProgressCallback
from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.launch.job import run_guarded
from dlcli.runs.run import Run


def perform(job: Job, tell: ProgressCallback) -> JobResult:
    """Start or resume the run of a job and return its report."""
    return run_guarded(job, tell, lambda options: _resume(job, options) if job.run else _start(job, options))


def _resume(job: Job, options: Options) -> Run:
    """Resume the run of a job; one that cannot be resumed starts again in a new directory."""
    try:
        return run_commands.resume(job.run or "", (), options)
    except Unresumable:
        return _start(job, options)


def _start(job: Job, options: Options) -> Run:
    (point,) = run_commands.points(job.overrides, options)
    return run_commands.start(point, options)
