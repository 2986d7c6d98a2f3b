"""The loop over steps. It knows no model, task, learner or verb by name."""

import math
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcli.core.artifacts import encode, more
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation import check_reported
from dlcli.core.evaluation import score as evaluate
from dlcli.core.learner import Growing, Learner, Leaves
from dlcli.core.limits import finished, limits
from dlcli.core.task import Task
from dlcli.engine.checkpoint import best_step, read_last, to_bytes
from dlcli.engine.signals import Signals
from dlcli.runs.run import Run

__all__ = ["Ending", "Plan", "Watcher", "evaluate", "fit", "limits"]

_TICK = 0.1  # seconds between two looks of the watcher


@dataclass(frozen=True)
class Plan:
    """When to stop, score, log and save.

    Args:
        until: limits by counter; `steps`, `epochs` and `seconds` are known everywhere. The first one reached ends it;
            a learner that finishes by itself requires none.
        eval_every: steps between two scorings; None is once an epoch.
        log_every: steps whose means make one training row.
        checkpoint_every: steps between two checkpoints beside those of every scoring; None for no more.
        patience: scorings without a better main metric before it stops; None never does.
        wall_time_limit: seconds of this process after which a checkpoint is saved and the run counts as preempted.
    """

    until: Mapping[str, int | float]
    eval_every: int | None = None
    log_every: int = 50
    checkpoint_every: int | None = None
    patience: int | None = None
    wall_time_limit: int | float | None = None


@dataclass(frozen=True)
class Ending:
    """How a fit ended: run status, exit code, and the reason in words."""

    status: str
    exit_code: int
    reason: str


@runtime_checkable
class Watcher(Protocol):
    """Somebody who is shown how it goes."""

    def tick(self, step: int, done: float, latest: Mapping[str, float]) -> None:
        """Now and then: the step, the part of the way that is done in [0, 1], the latest logged values."""

    def scored(self, step: int, split: str, means: Mapping[str, float], best: bool) -> None:
        """After a scoring; `best` when it is the best so far."""


@dataclass
class _State:
    """Where the loop is: all that a checkpoint holds beside the learner."""

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

    def keep(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.pending.setdefault(name, []).append(value)


class _Diverged(Exception):
    """A loss or a parameter is not finite."""


def fit(learner: Learner, task: Task, run: Run, plan: Plan, watcher: Watcher, signals: Signals) -> Ending:
    """Step until the plan is done, scoring, logging and saving on the way; goes on from last.pt when there is one.

    Raises:
        Mismatch: last.pt is another run's.
    """
    return _Fit(learner, task, run, plan, watcher, signals).run_to_end()


class _Fit:
    def __init__(self, learner: Learner, task: Task, run: Run, plan: Plan, watcher: Watcher, signals: Signals) -> None:
        self.learner, self.task, self.run, self.plan = learner, task, run, plan
        self.watcher, self.signals = watcher, signals
        self.state = _State()
        self.limits = limits(plan.until, learner, task)
        self._restore()
        self.begun = time.perf_counter()
        self.before = self.state.seconds

    def run_to_end(self) -> Ending:
        try:
            ending = self._loop()
            if ending.status == "completed":
                self._complete()
        except _Diverged as error:
            self.run.flush()
            return Ending("diverged", 3, f"{error} at step {self.state.step}")
        finally:
            self._tell()
        return ending

    def _tell(self) -> None:
        """How far it came, for run.json."""
        state = self.state
        self.run.info |= {"steps": state.step, "seconds": round(state.seconds, 3), "counters": state.counters}
        self.run.info["best"] = {"step": state.best_step, "value": state.best}

    def _loop(self) -> Ending:
        state, plan, next_tick = self.state, self.plan, 0.0
        while True:
            now = time.perf_counter()
            state.seconds = self.before + now - self.begun
            ending = self._ending(now)
            if ending is not None:
                self._save()
                return ending
            row = self.learner.step()
            previous = state.counters.get("batches", 0)
            state.count(row.counts)
            state.keep(row.values)
            if row.note:
                self.run.note(row.note)
            if state.step % plan.log_every == 0:
                self._log()
            if self._scoring_due(previous):
                self._score()
                self._save()
            elif plan.checkpoint_every and state.step % plan.checkpoint_every == 0:
                self._save()
            if now >= next_tick:
                next_tick = now + _TICK
                state.seconds = self.before + time.perf_counter() - self.begun
                self.watcher.tick(state.step, self._done(), state.latest)

    def _ending(self, now: float) -> Ending | None:
        """Whether to stop here, and how that is called."""
        state, plan = self.state, self.plan
        number = self.signals.received
        if number is not None:
            name = signal.Signals(number).name
            if number == signal.SIGUSR1:
                return Ending("preempted", 75, f"{name}: a checkpoint is saved")
            return Ending("stopped", 128 + number, f"{name}: a checkpoint is saved")
        if finished(self.learner):
            return Ending("completed", 0, f"{type(self.learner).__name__} finished")
        for name, limit in self.limits:
            if self._counter(name) >= limit:
                return Ending("completed", 0, f"{name} reached {limit:g}")
        if plan.patience is not None and state.stale >= plan.patience:
            return Ending("completed", 0, f"no better {self.task.main.metric} in {state.stale} scorings")
        if plan.wall_time_limit is not None and now - self.begun >= plan.wall_time_limit:
            return Ending("preempted", 75, f"the wall-clock budget of {plan.wall_time_limit:g} s is used up")
        return None

    def _counter(self, name: str) -> int | float:
        if name == "steps":
            return self.state.step
        if name == "seconds":
            return self.state.seconds
        return self.state.counters.get(name, 0)

    def _done(self) -> float:
        return min(1.0, max((self._counter(name) / limit for name, limit in self.limits), default=0.0))

    def _scoring_due(self, batches_before: int) -> bool:
        if self.plan.eval_every is not None:
            return self.state.step % self.plan.eval_every == 0
        size = self.task.size("train")
        return self.state.counters.get("batches", 0) // size > batches_before // size

    def _log(self) -> None:
        """Write the means of the pending rows; the only place where training waits for its numbers."""
        pending, self.state.pending = self.state.pending, {}
        if not pending:
            return
        row = {name: _mean(values) for name, values in pending.items()}
        self.state.latest = row
        self.run.log(self.state.step, "train", row)
        self.run.time(self.state.step, self.state.seconds, self.state.counters)
        broken = [name for name, value in row.items() if name.endswith("loss") and not math.isfinite(value)]
        if broken:
            raise _Diverged(f"{broken[0]} is {row[broken[0]]}")

    def _score(self) -> None:
        """Score the model so far on valid, and keep it when it is the best."""
        state, model, goal = self.state, self.learner.model, self.task.main
        if model is None:
            self._leave(self.learner, self.task)
            return
        _check_finite(model)
        means = evaluate(model, self.task, "valid")
        self.run.log(state.step, "valid", means)
        state.scored = state.step
        check_reported(self.task, means)
        better = goal.better(means[goal.metric], state.best)
        if better:
            state.best, state.best_step, state.stale = means[goal.metric], state.step, 0
            self._save_best(model)
        else:
            state.stale += 1
        self.watcher.scored(state.step, "valid", means, better)
        self._leave(self.learner, self.task, model)

    def _complete(self) -> None:
        """The rows and the scoring that are left at the end. last.pt is older, so a longer run repeats nothing."""
        self._log()
        if self.state.scored != self.state.step:
            self._score()
        self.run.flush()

    def _leave(self, *sources: object) -> None:
        for source in sources:
            if isinstance(source, Leaves):
                for name, leaf in source.leave().items():
                    ending, content = encode(leaf)
                    if isinstance(leaf, Growing):
                        self.run.grow(name + ending, content.decode(), more(leaf))
                    else:
                        self.run.keep(name + ending, content)

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
            raise Mismatch(f"{self.run.checkpoint_path('last')} is not a checkpoint of this run: {error}") from None
        self._restore_best()

    def _restore_best(self) -> None:
        """The best.pt that last.pt knows: a kill, or the end of a shorter run, may have left a newer one."""
        path = self.run.checkpoint_path("best")
        for kept in (path, self.run.checkpoint_path("best_before")):
            if kept.exists() and best_step(kept, self.run) == self.state.best_step:
                kept.replace(path)
                return
        path.unlink(missing_ok=True)
        self.state.best, self.state.best_step = None, -1


def _mean(values: Sequence[Tensor]) -> float:
    """On the newest value's device: those from a checkpoint come from the CPU."""
    return float(torch.stack([value.to(values[-1].device) for value in values]).cpu().double().mean())


def _check_finite(model: nn.Module) -> None:
    """Parameters are finite; buffers may be infinite (masks), but are numbers.

    Raises:
        _Diverged: one is not.
    """
    sound = [value.isfinite().all() for value in model.parameters() if value.numel()]
    sound += [~value.isnan().any() for value in model.buffers() if value.numel()]
    if sound and not bool(torch.stack(sound).all()):
        raise _Diverged("a parameter is not finite")
