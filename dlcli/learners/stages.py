"""Several learners in sequence on one model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Artifact, HasArtifacts, Learner, Row, TableArtifact
from dlcli.core.limits import finished, limits
from dlcli.core.population import PopulationBased
from dlcli.core.task import Task
from dlcli.learners.gradient.data_parallel import DataParallelLearner
from dlcli.learners.gradient.process_group import NestedGroup, ProcessGroup, SingleProcess

_COLUMNS = ("stage", "learner", "first_step", "last_step", "finished")


class Stage:
    """A learner and its limits.

    Args:
        learner: factory of the learner from the model and the task.
        until: limits by counter of this stage's own steps (steps, epochs, updates, samples ...); the first one reached
            ends the stage. It may be empty if the learner finishes by itself.
    """

    def __init__(
        self, *, learner: Callable[[nn.Module, Task], Learner], until: Mapping[str, int | float] | None
    ) -> None:
        self.learner, self.until = learner, dict(until or {})


class Stages:
    """One learner after another on the same model: greedy layer-wise training, pre-training, a change of optimizer.

    Every stage starts from the model that its predecessor returns (averaged weights, where it averages). Counters add
    up over the stages; rows are labeled by the stage's name. The run ends with the last stage, or at an earlier limit
    of the run; further steps are those of the last learner. A checkpoint holds the state of the current stage.

    Source: Bengio et al. 2007, "Greedy Layer-Wise Training of Deep Networks", NIPS 19, for stages with `parts`.

    Args:
        model: module that all stages train.
        task: batches and loss.
        stages: stages by name, in order.

    Raises:
        UsageError: there is no stage; a stage has no limit, or one by the clock; a learner cannot be a stage, or the
            stages differ in `devices`.
    """

    def __init__(self, model: nn.Module, task: Task, *, stages: Mapping[str, Stage]) -> None:
        if not stages:
            raise UsageError("invalid_value", key="learner.stages", must="at least one stage", got={})
        self._model, self._names = model, list(stages)
        self._learners = {name: stage.learner(model, task) for name, stage in stages.items()}
        self._limits = {}
        for name, learner in self._learners.items():
            _check(name, learner)
            self._limits[name] = limits(stages[name].until, learner, task, name)
        self.devices = _devices(self._learners)
        self.counters: Sequence[str] = list(
            dict.fromkeys(name for learner in self._learners.values() for name in learner.counters)
        )
        self.resumable = all(getattr(learner, "resumable", True) for learner in self._learners.values())
        self._team: ProcessGroup = SingleProcess()
        self._stage, self._steps, self._ended = 0, 0, False
        self._counts: dict[str, int] = {}
        self._rows: list[list[Any]] = []

    @property
    def model(self) -> nn.Module | None:
        return self._learner.model

    @property
    def finished(self) -> bool:
        """True when the last stage has ended."""
        return self._ended

    @property
    def _name(self) -> str:
        return self._names[self._stage]

    @property
    def _learner(self) -> Learner:
        return self._learners[self._name]

    def join(self, team: ProcessGroup) -> None:
        """Share the work of all stages with other processes, from the leader's state."""
        team.prepare(self._model)
        team.lead("load", self.state_dict())
        self._team = team
        for learner in self._learners.values():
            if isinstance(learner, DataParallelLearner):
                learner.join(NestedGroup(team))

    def step(self) -> Row:
        self._team.lead("step")
        name, row = self._name, self._learner.step()
        self._steps += 1
        for counter, count in {"steps": 1, **row.counts}.items():
            self._counts[counter] = self._counts.get(counter, 0) + count
        note = self._end_stage() if self._stage_done() and not self._ended else ""
        values = {f"{name}_{key}": value for key, value in row.values.items()}
        optimized = None if row.optimized is None else tuple(f"{name}_{key}" for key in row.optimized)
        return Row(values, row.counts, "\n".join(filter(None, (row.note, note))), optimized)

    def _stage_done(self) -> bool:
        reached = any(self._counts.get(counter, 0) >= limit for counter, limit in self._limits[self._name])
        return reached or finished(self._learner)

    def _end_stage(self) -> str:
        """Start the next stage from the model of the current one; the event for the log."""
        name, learner, steps = self._name, self._learner, self._counts["steps"]
        self._rows.append(self._row(finished=True))
        note = f"stage {name} ({type(learner).__name__}) finished: {steps:,} steps, total {self._steps:,}"
        if self._stage + 1 == len(self._names):
            self._ended = True
            return note
        if learner.model is not None and learner.model is not self._model:
            self._model.load_state_dict(learner.model.state_dict())
        self._stage, self._counts = self._stage + 1, {}
        return f"{note}\nstage {self._name} ({type(self._learner).__name__}) started"

    def _row(self, *, finished: bool) -> list[Any]:
        """The row of the current stage in the table of stages."""
        first = self._steps - self._counts.get("steps", 0) + 1
        return [self._name, type(self._learner).__name__, first, self._steps, finished]

    def leave(self) -> Mapping[str, Artifact]:
        """The stages so far, the unfinished one included, and the artifacts of the current learner."""
        unfinished = [] if self._ended or not self._counts else [self._row(finished=False)]
        rows = [*self._rows, *unfinished]
        own: dict[str, Artifact] = {"stages": TableArtifact(_COLUMNS, rows)} if rows else {}
        inner = self._learner.leave() if isinstance(self._learner, HasArtifacts) else {}
        return own | {f"{self._name}_{name}": leaf for name, leaf in inner.items()}

    def state_dict(self) -> dict[str, Any]:
        self._team.lead("state")
        return {
            "names": list(self._names),
            "stage": self._stage,
            "steps": self._steps,
            "ended": self._ended,
            "counts": dict(self._counts),
            "rows": [list(row) for row in self._rows],
            "learner": self._learner.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["names"] != self._names:
            raise Mismatch(
                "mismatch", subject="the checkpoint", requirement=f"stages {state['names']}", got=self._names
            )
        self._team.lead("load", dict(state))
        self._stage, self._steps, self._ended = state["stage"], state["steps"], state["ended"]
        self._counts, self._rows = dict(state["counts"]), [list(row) for row in state["rows"]]
        self._learner.load_state_dict(state["learner"])


def _check(name: str, learner: Learner) -> None:
    """Check that a learner can be a stage.

    Raises:
        UsageError: it cannot.
    """
    if isinstance(learner, PopulationBased):
        raise UsageError(
            "unsupported",
            subject="learner=stages",
            feature=f"populations ({type(learner).__name__} in stage {name})",
            hint="Run dlcli evolve first, and dlcli train --init-from RUN afterwards.",
        )


def _devices(learners: Mapping[str, Learner]) -> int:
    """The number of processes of all stages.

    Raises:
        UsageError: the stages differ.
    """
    by_stage = {name: getattr(learner, "devices", 1) for name, learner in learners.items()}
    if len(set(by_stage.values())) > 1:
        must = "equal in all stages"
        raise UsageError("invalid_value", key="learner.stages.*.learner.devices", must=must, got=by_stage)
    return next(iter(by_stage.values()))
