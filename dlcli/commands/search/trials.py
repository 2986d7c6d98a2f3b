"""Trials as runs below a search's directory, carried out by an executor."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dlcli.config import build, identity, run_config, schema, search_points
from dlcli.config.budget import settle_budget
from dlcli.config.search_points import Base
from dlcli.core.errors import Unresumable
from dlcli.core.executor import Executor, Job, Report, Tell
from dlcli.core.metric import Goal
from dlcli.core.space import Space, word
from dlcli.core.trials import Interrupted, Outcome, Trial
from dlcli.engine.fit import limits
from dlcli.engine.options import Options
from dlcli.engine.resume import resume
from dlcli.engine.train import train
from dlcli.launch.job import guarded, packed
from dlcli.launch.stop_signals import heeding
from dlcli.runs import selectors
from dlcli.runs.run import Run

_PATIENCE = 60.0
"""Seconds to wait for runs whose search was killed: they are saving themselves."""
_STOPS = {130: "stopped", 143: "stopped", 75: "preempted"}
_STATUS = {0: "completed", 3: "diverged", 4: "out of memory"}


@dataclass(frozen=True)
class Wanted:
    """What a strategy may know before there is anybody to carry its trials out."""

    goal: Goal
    space: Space | None

    def carry_out(self, asked: Sequence[Trial]) -> list[Outcome]:
        raise RuntimeError("nobody carries these trials out")


@dataclass(frozen=True)
class Runs:
    """Each trial is a run of `train` in `<search>/runs/train/<arm>/`.

    One that was carried out before is read, not run again; one that was stopped, or is asked for with a later stop,
    goes on.

    Args:
        executor: of `carry` jobs.
        search: the run that they belong to.
        base: what they share.
        options: of the search.
        goal: of what outcomes have as their value.
        space: of architectures.
        arm: tells trials of the same number apart.
    """

    executor: Executor
    search: Run
    base: Base
    options: Options
    goal: Goal
    space: Space | None
    arm: str = "candidate"

    def of(self, arm: str) -> "Runs":
        """Trials of another arm, carried out by the same executor."""
        return replace(self, arm=arm)

    def stops(self, trial: Trial) -> dict[str, int | float]:
        """When a trial will stop, by counter."""
        config = self._config(trial)
        built = build.build(config, torch.device("cpu"))
        return dict(limits(config["until"], built.learner, built.task))

    def core(self, trial: Trial) -> str:
        """What trials share that are the same but for the seed."""
        return identity.core(self._config(trial))

    def _config(self, trial: Trial) -> dict[str, Any]:
        (point,) = search_points.trials(self.base.verb, self._words(trial), self.arm, self.options.extra)
        return settle_budget(point.resolved(seed=0))

    def carry_out(self, asked: Sequence[Trial]) -> list[Outcome]:
        known = self._known()
        there = [known.get((trial.number, _asked(trial))) for trial in asked]
        for run in there:
            _settle(run)
        open_ = [place for place, trial in enumerate(asked) if not _over(there[place], trial)]
        for place in open_:
            self.executor.submit(self._job(asked[place], there[place]))
        reports = dict(zip(open_, self._reports(len(open_)), strict=True))
        return [
            self._told(trial, reports[place]) if place in reports else self._read(trial, there[place])
            for place, trial in enumerate(asked)
        ]

    def _known(self) -> dict[tuple[int, tuple[str, ...]], Run]:
        """The runs that are there, the newest of each trial."""
        found: dict[tuple[int, tuple[str, ...]], Run] = {}
        for run in selectors.scan(self.search.path / "runs" / "train" / self.arm, children=True):
            if isinstance(number := run.info.get("trial"), int):
                found.setdefault((number, tuple(run.info.get("asked", ()))), run)
        return found

    def _job(self, trial: Trial, run: Run | None) -> Job:
        facts = {"trial": trial.number, "asked": list(_asked(trial)), "arm": self.arm}
        own = Options(
            self.search.path / "runs", quiet=True, extra=self.options.extra, parent=self.search.id,
            threads=self.options.threads, facts=facts,
        )  # fmt: skip
        return Job(self.base.verb, self._words(trial), packed(own), str(run.path) if run else None)

    def _words(self, trial: Trial) -> tuple[str, ...]:
        return (*self.base.words, *schema.trial_words(), *_asked(trial), *_until(trial))

    def _reports(self, count: int) -> list[Report]:
        """Of the jobs that were submitted.

        Raises:
            Interrupted: they were stopped.
        """
        with heeding(self.executor) as received:
            reports = [self.executor.wait()[1] for _ in range(count)]
        codes = [report.exit_code for report in reports if report.exit_code in _STOPS]
        if received or codes:
            raise Interrupted(75 if 75 in codes else 128 + received[0] if received else codes[0])
        return reports

    def _told(self, trial: Trial, report: Report) -> Outcome:
        if report.run is not None and Path(report.run, "run.json").is_file():
            return replace(self._read(trial, Run.open(Path(report.run))), error=report.error)
        return Outcome(trial, float("nan"), _STATUS.get(report.exit_code, "failed"), error=report.error)

    def _read(self, trial: Trial, run: Run | None) -> Outcome:
        """What a run's directory says of it."""
        assert run is not None
        info = run.info
        scores: dict[str, Any] = info["metrics"].get("valid") or {}
        code = info.get("exit_code")
        value = scores.get(self.goal.metric) if code == 0 else None
        return Outcome(
            trial,
            float("nan") if value is None else float(value),
            _STATUS.get(code, "failed") if isinstance(code, int) else "failed",
            info.get("steps") or 0,
            float(info.get("seconds") or 0.0),
            os.path.relpath(run.path, self.search.path),
            "" if code == 0 else str(info.get("reason") or ""),
        )


def _asked(trial: Trial) -> tuple[str, ...]:
    """What makes the trial, its stop left aside."""
    return (*trial.words, *([] if trial.architecture is None else [word(trial.architecture)]))


def _until(trial: Trial) -> tuple[str, ...]:
    limits = ", ".join(f"{name}: {limit}" for name, limit in trial.until.items())
    return (f"until={{{limits}}}",) if limits else ()


def _settle(run: Run | None) -> None:
    """Wait for a run whose search was killed."""
    end = time.monotonic() + _PATIENCE
    while run is not None and run.status == "running" and time.monotonic() < end:
        time.sleep(0.1)
        run.info = Run.open(run.path).info


def _over(run: Run | None, trial: Trial) -> bool:
    """Whether the run came to its end, or as far as the trial is to go."""
    if run is None or run.status not in ("completed", "failed", "diverged"):
        return False
    if run.status != "completed" or not trial.until:
        return True
    until = run_config.read(run.path / "config.yaml")["until"]
    return all(until.get(name, 0) >= limit for name, limit in trial.until.items())


def carry(job: Job, tell: Tell) -> Report:
    """A trial as a run, a new one or one that goes on: what a worker does."""
    return guarded(job, tell, lambda options: _gone_on(job, options) if job.run else _new(job, options))


def _gone_on(job: Job, options: Options) -> Run:
    try:
        return resume(job.run or "", [word for word in job.overrides[-1:] if word.startswith("until={")], options)
    except Unresumable:
        return _new(job, options)


def _new(job: Job, options: Options) -> Run:
    (point,) = search_points.trials(job.verb, job.overrides, str(options.facts["arm"]), options.extra)
    return train(point, options)
