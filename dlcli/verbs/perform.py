"""A job as a run: what every worker does, wherever it is."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dlcli import compose
from dlcli.core.errors import Unresumable, UsageError
from dlcli.core.executor import Job, Report, Tell
from dlcli.run import Run
from dlcli.verbs.ending import broken
from dlcli.verbs.options import Options
from dlcli.verbs.resume import resume
from dlcli.verbs.train import train


def perform(job: Job, tell: Tell) -> Report:
    """A job as a run, a new one or one that goes on, whatever becomes of it."""
    options = replace(unpacked(job.options), tell=tell, quiet=True)
    if options.threads:  # building shares the processors too; only a process of ours has a share
        torch.set_num_threads(options.threads)
    try:
        run = _gone_on(job, options) if job.run else _new(job, options)
    except (UsageError, OSError) as error:
        return Report(2, job.run, error=str(error))
    except Exception as error:  # noqa: BLE001 - the other jobs go on
        ending = broken(error)
        return Report(ending.exit_code, job.run, error=ending.reason)
    return report(run)


def _gone_on(job: Job, options: Options) -> Run:
    """The job's run to its end; one that cannot be resumed begins anew, in a directory of its own."""
    try:
        return resume(job.run or "", (), options)
    except Unresumable:
        return _new(job, options)


def _new(job: Job, options: Options) -> Run:
    (point,) = compose.expand(job.verb, job.overrides, extra=options.extra, smoke=options.smoke)
    return train(point, options)


def report(run: Run) -> Report:
    """How a run ended."""
    code = run.info["exit_code"]
    return Report(code, str(run.path), run.info["metrics"], "" if code == 0 else run.info["reason"])


def packed(options: Options) -> dict[str, Any]:
    """Options as plain values, for JSON and other processes."""
    plain = vars(options) | {
        "out": str(options.out.absolute()),
        "extra": [str(one.absolute()) for one in options.extra],
    }
    return plain | {"tags": list(options.tags), "argv": list(options.argv), "tell": None}


def unpacked(plain: Mapping[str, Any]) -> Options:
    """The options again."""
    sequences = {name: tuple(plain.get(name, ())) for name in ("tags", "argv")}
    extra = tuple(Path(one) for one in plain.get("extra", ()))
    return Options(**{**plain, **sequences, "out": Path(plain["out"]), "extra": extra})
