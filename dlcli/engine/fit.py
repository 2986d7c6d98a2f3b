"""Training loop, independent of model, task, learner and command."""

import math
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.core.artifacts import appended_rows, encode
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation import check_reported
from dlcli.core.evaluation import score as evaluate
from dlcli.core.learner import AppendTable, HasArtifacts, Learner
from dlcli.core.limits import finished, limits
from dlcli.core.task import Task
from dlcli.engine.checkpoint import best_step, read_last, to_bytes
from dlcli.engine.signals import Signals
from dlcli.runs.run import Run

__all__ = ["Plan", "ProgressObserver", "RunOutcome", "evaluate", "fit", "limits"]

_TICK = 0.1  # seconds between two updates of the display


@dataclass(frozen=True)
class Plan:
    """Limits and intervals of a training run.

    Args:
        until: limits by counter; the first one reached ends the run. Every learner counts `steps`, `epochs` and
            `seconds`; a learner that finishes by itself requires no limit.
        eval_every: steps between two evaluations; None is once per epoch.
        log_every: steps averaged in one training row of metrics.csv.
        checkpoint_every: steps between additional checkpoints; None saves them at evaluations only.
        patience: evaluations without improvement of the main metric before early stopping; None disables it.
        wall_time_limit: seconds of this process after which the run is saved and preempted; None is unlimited.
    """

    until: Mapping[str, int | float]
    eval_every: int | None = None
    log_every: int = 50
    checkpoint_every: int | None = None
    patience: int | None = None
    wall_time_limit: int | float | None = None


@dataclass(frozen=True)
class RunOutcome:
    """Outcome of a run: status, exit code and reason."""

    status: str
    exit_code: int
    reason: str


@runtime_checkable
class ProgressObserver(Protocol):
    """Observer of the training progress, such as a progress bar."""

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None:
        """Show the step, the completed fraction in [0, 1] and the latest logged values, optimized ones first."""

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        """Show the means of an evaluation; `best` is True if the main metric improved."""


@dataclass
class _State:
    """State of the loop: the part of a checkpoint that does not belong to the learner."""

    step: int = 0
    seconds: float = 0.0
    counters: dict[str, int] = field(default_factory=dict)
    pending: dict[str, list[Tensor]] = field(default_factory=dict)
    best: float | None = None
    best_step: int = -1
    stale: int = 0
    scored: int = -1
    latest: dict[str, float] = field(default_factory=dict)

    def count(self, counts: Mapping[str, int]) -> None:
        self.step += 1
        for name, number in counts.items():
            self.counters[name] = self.counters.get(name, 0) + number

    def collect(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.pending.setdefault(name, []).append(value)


class _Diverged(Exception):
    """Raised if a loss or a parameter is not finite."""


def fit(learner: Learner, task: Task, run: Run, plan: Plan, watcher: ProgressObserver, signals: Signals) -> RunOutcome:
    """Train until a limit is reached, with evaluation, logging and checkpoints; resumes from last.pt if it exists.

    Raises:
        Mismatch: last.pt belongs to another run.
    """
    return _Fit(learner, task, run, plan, watcher, signals).run_to_end()


class _Fit:
    def __init__(
        self, learner: Learner, task: Task, run: Run, plan: Plan, watcher: ProgressObserver, signals: Signals
    ) -> None:
        self.learner, self.task, self.run, self.plan = learner, task, run, plan
        self.watcher, self.signals = watcher, signals
        self.state = _State()
        self.limits = limits(plan.until, learner, task)
        self.optimized: dict[str, None] = {}  # names of values that must be finite, in order
        self._restore()
        self.start = time.perf_counter()
        self.seconds_before = self.state.seconds

    def run_to_end(self) -> RunOutcome:
        try:
            ending = self._loop()
            if ending.status == "completed":
                self._complete()
        except _Diverged as error:
            self.run.flush()
            return RunOutcome("diverged", 3, f"{error} at step {self.state.step}")
        finally:
            self._record_progress()
        return ending

    def _record_progress(self) -> None:
        """Record steps, counters and the best evaluation for run.json."""
        state = self.state
        self.run.info |= {"steps": state.step, "seconds": round(state.seconds, 3), "counters": state.counters}
        self.run.info["best"] = {"step": state.best_step, "value": state.best}

    def _loop(self) -> RunOutcome:
        state, plan, next_tick = self.state, self.plan, 0.0
        while True:
            now = time.perf_counter()
            state.seconds = self.seconds_before + now - self.start
            ending = self._ending(now)
            if ending is not None:
                self._save()
                return ending
            row = self.learner.step()
            previous = state.counters.get("batches", 0)
            state.count(row.counts)
            state.collect(row.values)
            self.optimized |= dict.fromkeys(row.values if row.optimized is None else row.optimized)
            if row.note:
                self.run.note(row.note)
            if state.step % plan.log_every == 0:
                self._log()
            if self._evaluation_due(previous):
                self._evaluate()
                self._save()
            elif plan.checkpoint_every and state.step % plan.checkpoint_every == 0:
                self._save()
            if now >= next_tick:
                next_tick = now + _TICK
                state.seconds = self.seconds_before + time.perf_counter() - self.start
                self.watcher.tick(state.step, self._fraction(), state.latest)

    def _ending(self, now: float) -> RunOutcome | None:
        """Return the outcome if the run stops at this step, else None."""
        state, plan = self.state, self.plan
        number = self.signals.received
        if number is not None:
            name = signal.Signals(number).name
            if number == signal.SIGUSR1:
                return RunOutcome("preempted", 75, f"{name}; checkpoint saved")
            return RunOutcome("stopped", 128 + number, f"{name}; checkpoint saved")
        if finished(self.learner):
            return RunOutcome("completed", 0, f"{type(self.learner).__name__} finished")
        for name, limit in self.limits:
            if self._counter(name) >= limit:
                return RunOutcome("completed", 0, self._limit_text(name, limit))
        if plan.patience is not None and state.stale >= plan.patience:
            reason = f"validation {self.task.main.metric} did not improve for {state.stale} evaluations"
            return RunOutcome("completed", 0, f"early stopping: {reason}")
        if plan.wall_time_limit is not None and now - self.start >= plan.wall_time_limit:
            return RunOutcome("preempted", 75, f"wall_time_limit={plan.wall_time_limit:g} s reached")
        return None

    def _limit_text(self, counter: str, limit: int | float) -> str:
        """A reached limit in the user's counter: 40 epochs rather than 1,520 batches."""
        if counter == "batches" and "epochs" in self.plan.until:
            counter, limit = "epochs", self.plan.until["epochs"]
        return f"{limit:,g} {counter}" if isinstance(limit, float) else f"{limit:,} {counter}"

    def _counter(self, name: str) -> int | float:
        if name == "steps":
            return self.state.step
        if name == "seconds":
            return self.state.seconds
        return self.state.counters.get(name, 0)

    def _fraction(self) -> float:
        return min(1.0, max((self._counter(name) / limit for name, limit in self.limits), default=0.0))

    def _evaluation_due(self, batches_before: int) -> bool:
        if self.plan.eval_every is not None:
            return self.state.step % self.plan.eval_every == 0
        size = self.task.size("train")
        return self.state.counters.get("batches", 0) // size > batches_before // size

    def _log(self) -> None:
        """Write the means of the pending values; the only synchronization with the device during training."""
        pending, self.state.pending = self.state.pending, {}
        if not pending:
            return
        row = {name: _mean(values) for name, values in pending.items()}
        optimized = {name: row[name] for name in self.optimized if name in row}
        self.state.latest = optimized | row
        self.run.log(self.state.step, "train", row)
        self.run.time(self.state.step, self.state.seconds, self.state.counters)
        not_finite = [name for name, value in optimized.items() if not math.isfinite(value)]
        if not_finite:
            raise _Diverged(f"{not_finite[0]} is {row[not_finite[0]]}")

    def _evaluate(self) -> None:
        """Evaluate the model on the validation split and save it if the main metric improved."""
        state, model, goal = self.state, self.learner.model, self.task.main
        if model is None:
            self._save_artifacts(self.learner, self.task)
            return
        _check_finite(model)
        means = evaluate(model, self.task, "valid")
        self.run.log(state.step, "valid", means)
        state.scored = state.step
        check_reported(self.task, means)
        improved = goal.better(means[goal.metric], state.best)
        if improved:
            state.best, state.best_step, state.stale = means[goal.metric], state.step, 0
            self._save_best(model)
        else:
            state.stale += 1
        self.watcher.scored(state.step, "valid", means, improved)
        self._save_artifacts(self.learner, self.task, model)

    def _complete(self) -> None:
        """Write the last rows and evaluate once more; last.pt is older, so that an extended run repeats nothing."""
        self._log()
        if self.state.scored != self.state.step:
            self._evaluate()
        self.run.flush()

    def _save_artifacts(self, *sources: object) -> None:
        for source in sources:
            if isinstance(source, HasArtifacts):
                for name, artifact in source.leave().items():
                    suffix, content = encode(artifact)
                    if isinstance(artifact, AppendTable):
                        self.run.grow(name + suffix, content.decode(), appended_rows(artifact))
                    else:
                        self.run.keep(name + suffix, content)

    def _save(self) -> None:
        model = self.learner.model
        if model is not None:
            _check_finite(model)
        state = {
            "run": self.run.id,
            "learner": self.learner.state_dict(),
            "lengths": self.run.lengths(),
            **{name: value for name, value in vars(self.state).items() if name != "latest"},
        }
        self.run.checkpoint("last", to_bytes(state))
        self.run.drop_aside("best")

    def _save_best(self, model: nn.Module) -> None:
        state = {
            "run": self.run.id,
            "step": self.state.step,
            "value": self.state.best,
            "model": model.state_dict(),
            "fitted": dict(self.task.fitted),
        }
        self.run.set_aside("best")
        self.run.checkpoint("best", to_bytes(state))

    def _restore(self) -> None:
        saved = read_last(self.run)
        if saved is None:
            for name in ("best", "best_before"):
                self.run.checkpoint_path(name).unlink(missing_ok=True)
            self.run.restart()
            return
        try:
            self.learner.load_state_dict(saved["learner"])
            self.state = _State(**{name: saved[name] for name in vars(_State()) if name != "latest"})
            self.run.truncate(saved["lengths"])
        except UsageError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            path = self.run.checkpoint_path("last")
            raise Mismatch("damaged", path=path, problem=f"not a checkpoint of this run: {error}") from None
        self._restore_best()

    def _restore_best(self) -> None:
        """Restore the best.pt that belongs to last.pt: an interrupted or shorter run may have saved a newer one."""
        path = self.run.checkpoint_path("best")
        for candidate in (path, self.run.checkpoint_path("best_before")):
            if candidate.exists() and best_step(candidate, self.run) == self.state.best_step:
                candidate.replace(path)
                return
        path.unlink(missing_ok=True)
        self.state.best, self.state.best_step = None, -1


def _mean(values: Sequence[Tensor]) -> float:
    """Mean on the device of the newest value; values restored from a checkpoint are on the CPU."""
    return float(torch.stack([value.to(values[-1].device) for value in values]).cpu().double().mean())


def _check_finite(model: nn.Module) -> None:
    """Check that parameters are finite and buffers are not NaN; masks may be infinite.

    Raises:
        _Diverged: a value is invalid.
    """
    valid = [value.isfinite().all() for value in model.parameters() if value.numel()]
    valid += [~value.isnan().any() for value in model.buffers() if value.numel()]
    if valid and not bool(torch.stack(valid).all()):
        raise _Diverged("a parameter is not finite")
