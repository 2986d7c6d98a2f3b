"""Jobs as plain data: serialized options, guarded execution, reports of runs."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dlcli.core.errors import UsageError
from dlcli.core.executor import Job, JobResult, ProgressCallback
from dlcli.engine.options import Options
from dlcli.engine.status import status_from_exception
from dlcli.runs.run import Run


def run_guarded(job: Job, tell: ProgressCallback, do: Callable[[Options], Run]) -> JobResult:
    """Execute a job with its options and return its report; exceptions become part of the report.

    Args:
        tell: receives the progress events.
        do: executes the run.
    """
    options = replace(options_from_dict(job.options), tell=tell, quiet=True)
    if options.threads:  # building uses the processors too; set only in worker processes
        torch.set_num_threads(options.threads)
    try:
        run = do(options)
    except (UsageError, OSError) as error:
        return JobResult(2, job.run, error=str(error))
    except Exception as error:  # noqa: BLE001 - other jobs continue
        ending = status_from_exception(error)
        return JobResult(ending.exit_code, job.run, error=ending.reason)
    return report(run)


def report(run: Run) -> JobResult:
    """Return the report of an ended run."""
    code = run.info["exit_code"]
    return JobResult(code, str(run.path), run.info["metrics"], "" if code == 0 else run.info["reason"])


def options_to_dict(options: Options) -> dict[str, Any]:
    """Serialize options to plain values, for JSON and other processes."""
    plain = vars(options) | {
        "out": str(options.out.absolute()),
        "extra": [str(folder.absolute()) for folder in options.extra],
    }
    return plain | {"tags": list(options.tags), "argv": list(options.argv), "tell": None}


def options_from_dict(plain: Mapping[str, Any]) -> Options:
    """Restore options from plain values."""
    sequences = {name: tuple(plain.get(name, ())) for name in ("tags", "argv")}
    extra = tuple(Path(folder) for folder in plain.get("extra", ()))
    return Options(**{**plain, **sequences, "out": Path(plain["out"]), "extra": extra})
