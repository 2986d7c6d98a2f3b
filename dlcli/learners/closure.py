"""Full-batch optimization with optimizers that re-evaluate the loss, such as L-BFGS."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.learner import Objective, Row
from dlcli.core.task import Task
from dlcli.learners.gradient import data_parallel
from dlcli.learners.gradient.player import Player, PlayerState
from dlcli.learners.gradient.process_group import ProcessGroup, SingleProcess
from dlcli.learners.gradient.schedule import Constant

_PRECISIONS = ("float32", "float64", "bfloat16")


class Closure:
    """One step of a closure optimizer on the whole training split.

    The split is one batch: its mean loss and gradient are accumulated over the task's batches of the first epoch,
    weighted by `Loss.weight`. Random layers draw the same values in all evaluations of a step, so that a line search
    sees one function. The row reports the loss before the step; `batches` and `samples` count every evaluation, so
    that arms are compared at equal cost.

    Args:
        model: module whose parameters are moved.
        task: batches and loss.
        objective: factory of the loss from the task.
        optimizer: factory of the optimizer from the parameters; any optimizer of torch.optim.
        parts: dotted names of the sub-modules whose parameters are moved; None moves all.
        seed: all draws are a function of (seed, step).
        precision: "float32", "float64", or mixed "bfloat16".
        compile: compile the model's forward pass with torch.compile.
        devices: number of processes that share the rows of each batch; see `data_parallel.py`.

    Raises:
        UsageError: the precision is not supported.
    """

    counters = ("updates", "evaluations", "batches", "samples")

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        objective: Callable[[Task], Objective],
        optimizer: Callable[[Iterable[nn.Parameter]], Any],
        parts: Sequence[str] | None,
        seed: int,
        precision: str,
        compile: bool,
        devices: int = 1,
    ) -> None:
        if precision not in _PRECISIONS:
            raise UsageError("invalid_value", key="precision", must=f"one of {', '.join(_PRECISIONS)}", got=precision)
        player = Player(
            objective=objective,
            optimizer=optimizer,
            schedule=Constant(),
            parts=parts,
            split="train",
            repeats=1,
            accumulate=task.size("train"),
            clip=None,
        )
        self._model, self._seat = model, PlayerState(player, model, task, seed=(seed,), precision=precision)
        data_parallel.check(devices, model, task, ["train"], self._seat.device)
        if devices > 1:
            data_parallel.check_memory(self._seat.objective)
        self.devices = devices
        self._team: ProcessGroup = SingleProcess()
        if compile:
            model.compile()

    @property
    def model(self) -> nn.Module:
        return self._model

    def join(self, team: ProcessGroup) -> None:
        """Share the rows of each batch with other processes, from the leader's state."""
        team.prepare(self._model)
        team.lead("load", self.state_dict())
        self._team = self._seat.team = team

    def step(self) -> Row:
        self._team.lead("step")
        if not self._model.training:
            self._model.train()
        seat, losses, samples = self._seat, list[Tensor](), 0

        def evaluate() -> Any:  # torch.optim declares float, and takes tensors
            nonlocal samples
            seat.batches, seat.carry = 0, None
            seat.begin(0)
            values, rows = seat.accumulate()
            samples += rows
            losses.append(values["loss"])
            return values["loss"]

        seat.optimizer.step(evaluate)
        seat.updates += 1
        counts = {
            "updates": 1,
            "evaluations": len(losses),
            "batches": len(losses) * seat.player.accumulate,
            "samples": samples,
        }
        return Row({"loss": losses[0]}, counts)

    def state_dict(self) -> dict[str, Any]:
        self._team.lead("state")
        return {"model": self._model.state_dict(), "seat": self._seat.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        try:
            self._model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise Mismatch("damaged", path="the checkpoint", problem=str(error).splitlines()[-1].strip()) from None
        self._team.lead("load", dict(state))
        self._seat.load_state_dict(state["seat"])


def check_no_closure(optimizer: Any) -> None:
    """Check that the optimizer takes steps without a closure.

    Raises:
        UsageError: its `step` requires one.
    """
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    if closure is not None and closure.default is closure.empty:
        raise UsageError(
            "unsupported",
            subject="the gradient learner",
            feature=f"optimizers that require a closure ({type(optimizer).__name__})",
            hint="Use learner=closure.",
        )
