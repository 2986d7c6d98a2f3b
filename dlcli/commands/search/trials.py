"""Trials of a search: training runs in the directory of the search, executed by an executor."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dlcli.config import build, identity, run_config, schema, search_points
from dlcli.config.budget import solve_budget
from dlcli.config.search_points import SearchBase
from dlcli.core.errors import Unresumable
from dlcli.core.executor import Executor, Job, JobResult, ProgressCallback
from dlcli.core.metric import Goal
from dlcli.core.space import Space, architecture_override
from dlcli.core.trials import Trial, TrialResult, TrialsInterrupted
from dlcli.engine.fit import limits
from dlcli.engine.options import Options
from dlcli.engine.resume import resume
from dlcli.engine.train import train
from dlcli.launch.job import options_to_dict, run_guarded
from dlcli.launch.stop_signals import stop_on_signals
from dlcli.runs import selectors
from dlcli.runs.run import Run

_SAVE_TIMEOUT = 60.0
"""Seconds to wait until the runs of a killed search have saved their checkpoints."""
_STOPS = {130: "stopped", 143: "stopped", 75: "preempted"}
_STATUS = {0: "completed", 3: "diverged", 4: "out of memory"}


@dataclass(frozen=True)
class UnstartedTrials:
    """Goal and search space for a strategy that is built only to be checked."""

    goal: Goal
    space: Space | None

    def carry_out(self, trials: Sequence[Trial]) -> list[TrialResult]:
        """Raise an error: there is no executor."""
        raise RuntimeError("trials of a strategy that is only checked cannot be executed")


@dataclass(frozen=True)
class TrialRuns:
    """Trials as runs of `train` in `<search>/runs/train/<arm>/`.

    A trial that has completed is read, not repeated; a trial that was stopped, or has a later stop than before, is
    resumed.

    Args:
        executor: executes `run_trial` jobs.
        search: run of the search.
        base: recipe and overrides that all trials share.
        options: options of the search.
        goal: metric that is the value of an outcome.
        space: space of architectures; None for other searches.
        arm: group of trials; trials of different groups may have the same number.
    """

    executor: Executor
    search: Run
    base: SearchBase
    options: Options
    goal: Goal
    space: Space | None
    arm: str = "candidate"

    def with_arm(self, arm: str) -> "TrialRuns":
        """Return the trials of another arm with the same executor."""
        return replace(self, arm=arm)

    def stops(self, trial: Trial) -> dict[str, int | float]:
        """Return the stopping rule of a trial: {counter: limit}."""
        config = self._config(trial)
        built = build.build(config, torch.device("cpu"))
        return dict(limits(config["until"], built.learner, built.task))

    def core(self, trial: Trial) -> str:
        """Return a hash that is equal for trials that differ only in the seed."""
        return identity.core(self._config(trial))

    def _config(self, trial: Trial) -> dict[str, Any]:
        (point,) = search_points.compose_trials(self.base.verb, self._words(trial), self.arm, self.options.extra)
        return solve_budget(point.resolved(seed=0))

    def carry_out(self, trials: Sequence[Trial]) -> list[TrialResult]:
        """Run the trials that have not completed; return the outcomes of all, in order.

        Raises:
            Interrupted: the trials were stopped.
        """
        existing = self._existing_runs()
        runs = [existing.get((trial.number, _overrides(trial))) for trial in trials]
        for run in runs:
            _wait_until_saved(run)
        unfinished = [index for index, trial in enumerate(trials) if not _is_finished(runs[index], trial)]
        for index in unfinished:
            self.executor.submit(self._job(trials[index], runs[index]))
        reports = dict(zip(unfinished, self._reports(len(unfinished)), strict=True))
        return [
            self._outcome(trial, reports[index]) if index in reports else self._read(trial, runs[index])
            for index, trial in enumerate(trials)
        ]

    def _existing_runs(self) -> dict[tuple[int, tuple[str, ...]], Run]:
        """Newest run of each trial, by number and overrides."""
        newest: dict[tuple[int, tuple[str, ...]], Run] = {}
        for run in selectors.scan(self.search.path / "runs" / "train" / self.arm, children=True):
            if isinstance(number := run.info.get("trial"), int):
                newest.setdefault((number, tuple(run.info.get("asked", ()))), run)
        return newest

    def _job(self, trial: Trial, run: Run | None) -> Job:
        facts = {"trial": trial.number, "asked": list(_overrides(trial)), "arm": self.arm}
        options = Options(
            self.search.path / "runs", quiet=True, extra=self.options.extra, parent=self.search.id,
            threads=self.options.threads, facts=facts,
        )  # fmt: skip
        return Job(self.base.verb, self._words(trial), options_to_dict(options), str(run.path) if run else None)

    def _words(self, trial: Trial) -> tuple[str, ...]:
        return (*self.base.words, *schema.trial_overrides(), *_overrides(trial), *_until(trial))

    def _reports(self, count: int) -> list[JobResult]:
        """Wait for the reports of the submitted jobs.

        Raises:
            Interrupted: the jobs were stopped.
        """
        with stop_on_signals(self.executor) as received:
            reports = [self.executor.wait()[1] for _ in range(count)]
        codes = [report.exit_code for report in reports if report.exit_code in _STOPS]
        if received or codes:
            raise TrialsInterrupted(75 if 75 in codes else 128 + received[0] if received else codes[0])
        return reports

    def _outcome(self, trial: Trial, report: JobResult) -> TrialResult:
        if report.run is not None and Path(report.run, "run.json").is_file():
            return replace(self._read(trial, Run.open(Path(report.run))), error=report.error)
        return TrialResult(trial, float("nan"), _STATUS.get(report.exit_code, "failed"), error=report.error)

    def _read(self, trial: Trial, run: Run | None) -> TrialResult:
        """Outcome of a trial from the run.json of its run."""
        assert run is not None
        info = run.info
        scores: dict[str, Any] = info["metrics"].get("valid") or {}
        code = info.get("exit_code")
        value = scores.get(self.goal.metric) if code == 0 else None
        return TrialResult(
            trial,
            float("nan") if value is None else float(value),
            _STATUS.get(code, "failed") if isinstance(code, int) else "failed",
            info.get("steps") or 0,
            float(info.get("seconds") or 0.0),
            os.path.relpath(run.path, self.search.path),
            "" if code == 0 else str(info.get("reason") or ""),
        )


def _overrides(trial: Trial) -> tuple[str, ...]:
    """Overrides of a trial without its stopping rule."""
    return (*trial.words, *([] if trial.architecture is None else [architecture_override(trial.architecture)]))


def _until(trial: Trial) -> tuple[str, ...]:
    limits = ", ".join(f"{name}: {limit}" for name, limit in trial.until.items())
    return (f"until={{{limits}}}",) if limits else ()


def _wait_until_saved(run: Run | None) -> None:
    """Wait until a run whose search was killed has ended, for at most `_SAVE_TIMEOUT`."""
    deadline = time.monotonic() + _SAVE_TIMEOUT
    while run is not None and run.status == "running" and time.monotonic() < deadline:
        time.sleep(0.1)
        run.info = Run.open(run.path).info


def _is_finished(run: Run | None, trial: Trial) -> bool:
    """True if the run has failed, or has reached the stopping rule of the trial."""
    if run is None or run.status not in ("completed", "failed", "diverged"):
        return False
    if run.status != "completed" or not trial.until:
        return True
    until = run_config.read(run.path / "config.yaml")["until"]
    return all(until.get(name, 0) >= limit for name, limit in trial.until.items())


def run_trial(job: Job, tell: ProgressCallback) -> JobResult:
    """Start or resume the run of a trial in a worker.

    Args:
        job: overrides and options of the trial; `job.run` is the run to resume.
        tell: receives progress messages.
    """
    return run_guarded(job, tell, lambda options: _resume(job, options) if job.run else _start(job, options))


def _resume(job: Job, options: Options) -> Run:
    try:
        return resume(
            job.run or "", [override for override in job.overrides[-1:] if override.startswith("until={")], options
        )
    except Unresumable:
        return _start(job, options)


def _start(job: Job, options: Options) -> Run:
    (point,) = search_points.compose_trials(job.verb, job.overrides, str(options.facts["arm"]), options.extra)
    return train(point, options)
