"""A job as a run: what every worker does, wherever it is."""

from dlcli.core.errors import Unresumable
from dlcli.core.executor import Job, Report, Tell
from dlcli.engine import run_commands
from dlcli.engine.options import Options
from dlcli.launch.job import guarded
from dlcli.runs.run import Run


def perform(job: Job, tell: Tell) -> Report:
    """A job as a run, a new one or one that goes on, whatever becomes of it."""
    return guarded(job, tell, lambda options: _gone_on(job, options) if job.run else _new(job, options))


def _gone_on(job: Job, options: Options) -> Run:
    """The job's run to its end; one that cannot be resumed begins anew, in a directory of its own."""
    try:
        return run_commands.resume(job.run or "", (), options)
    except Unresumable:
        return _new(job, options)


def _new(job: Job, options: Options) -> Run:
    (point,) = run_commands.points(job.overrides, options)
    return run_commands.start(point, options)
