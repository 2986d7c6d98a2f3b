"""Players: parameters with their objective, optimizer, learning-rate schedule and data split."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.evaluation import score
from dlcli.core.learner import Objective, Paced, Schedule
from dlcli.core.needs import check_requirements
from dlcli.core.precision import DOUBLE
from dlcli.core.rng import reseed
from dlcli.core.task import Loss, Task, move_carry
from dlcli.learners.gradient.process_group import ProcessGroup, SingleProcess, Sums
from dlcli.learners.gradient.schedule import ScoreDependent

_DTYPES = {"float32": None, "float64": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
"""Data types of autocast by precision; None computes in the data type of the parameters."""


class Player:
    """Configuration of a player.

    Args:
        objective: factory of the objective from the task.
        optimizer: factory of the optimizer from the parameters.
        schedule: learning-rate schedule over the updates.
        parts: dotted names of the sub-modules whose parameters the player updates; None: all.
        split: split of the batches, "train" or "valid".
        repeats: updates per step of the learner.
        accumulate: batches per update (gradient accumulation).
        clip: maximum Euclidean norm of the gradient; None: no clipping.
    """

    def __init__(
        self,
        *,
        objective: Callable[[Task], Objective],
        optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        schedule: Schedule,
        parts: Sequence[str] | None,
        split: str,
        repeats: int,
        accumulate: int,
        clip: float | None,
    ) -> None:
        for name, number in (("repeats", repeats), ("accumulate", accumulate)):
            if number < 1:
                raise UsageError("invalid_value", key=f"learner.players.*.{name}", must="at least 1", got=number)
        if clip is not None and not clip > 0:
            raise UsageError("invalid_value", key="learner.players.*.clip", must="above 0 or null", got=clip)
        if split not in ("train", "valid"):
            raise UsageError("invalid_value", key="learner.players.*.split", must="train or valid", got=split)
        self.objective, self.optimizer, self.schedule = objective, optimizer, schedule
        self.parts, self.split = parts, split
        self.repeats, self.accumulate, self.clip = repeats, accumulate, clip


class PlayerState:
    """State of a player: parameters, objective, optimizer, carried state and counters.

    Args:
        player: configuration.
        model: the complete model, of which only the parts of the player are updated.
        task: batches and loss.
        seed: key of all random numbers of the player, together with the update.
        precision: "float32", "float64", or mixed "bfloat16" or "float16".
    """

    def __init__(self, player: Player, model: nn.Module, task: Task, *, seed: tuple[int, ...], precision: str) -> None:
        if precision not in _DTYPES:
            raise UsageError("invalid_value", key="precision", must=f"one of {', '.join(_DTYPES)}", got=precision)
        self.player, self.model, self.task, self.seed = player, model, task, seed
        self.parameters = _parameters(model, player.parts)
        _check_double(self.parameters, precision)
        self.device = self.parameters[0].device
        self.exact = torch.float64 if precision == DOUBLE else torch.float32  # type of sums of losses and weights
        self.objective = player.objective(task)
        check_requirements(self.objective, model)
        if isinstance(self.objective, nn.Module):
            self.objective.to(self.device)
        self.optimizer = player.optimizer(self.parameters)
        self.rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.factor = 1.0
        self.rate = torch.tensor(self.rates[0])
        self.dtype = _DTYPES[precision]
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")
        self.updates = 0
        self.batches = 0
        self.carry: Any = None
        self.team: ProcessGroup = SingleProcess()
        self._terms: tuple[str, ...] = ()
        self._turn = 0
        self._pace = self.objective.pace if isinstance(self.objective, Paced) else None

    def update(self, turn: int = 0) -> tuple[dict[str, Tensor], int]:
        """Update the player's parameters once; the values to log, and the number of samples.

        Args:
            turn: number of the update within the step's `repeats`, from 0.
        """
        rate = self._set_rate()
        self.begin(turn)
        values, samples = self._descend()
        norm = self._clip()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.updates += 1
        return values | norm | rate, samples

    def begin(self, turn: int) -> None:
        """Seed the draws of update `updates` and set its turn."""
        reseed(self.device, *self.seed, self.updates, *self.team.words)
        self._turn = turn

    def _descend(self) -> tuple[dict[str, Tensor], int]:
        """Compute the gradient; returns the terms of the last batch with the mean loss of all batches."""
        if self.player.accumulate == 1 and self.team.size == 1:
            loss, samples = self._loss()
            gradients = torch.autograd.grad(self.scaler.scale(loss.value), self.parameters, allow_unused=True)
            for parameter, gradient in zip(self.parameters, gradients, strict=True):
                parameter.grad = gradient
            return {"loss": loss.value.detach(), **loss.terms}, samples
        return self.accumulate()

    def accumulate(self) -> tuple[dict[str, Tensor], int]:
        """Set the gradients to those of the mean loss over `accumulate` batches, weighted by their units.

        Returns:
            The mean loss and the terms of the last batch, and the number of samples.
        """
        samples = 0
        weight = total = torch.zeros((), dtype=self.exact, device=self.device)
        sums: list[Tensor | None] = [None] * len(self.parameters)
        for _ in range(self.player.accumulate):
            loss, rows = self._loss()
            last = torch.as_tensor(loss.weight, dtype=self.exact, device=self.device)
            if loss.value.requires_grad:
                value = self.scaler.scale(loss.value * loss.weight)
                gradients = torch.autograd.grad(value, self.parameters, allow_unused=True)
                sums = [
                    _sum(old, None if new is None else _zero_if_empty(last, new))
                    for old, new in zip(sums, gradients, strict=True)
                ]
            samples, weight = samples + rows, weight + last
            total = total + _zero_if_empty(last, loss.value.detach() * last)
        terms = {name: _zero_if_empty(last, value * last) for name, value in loss.terms.items()}
        added = self.team.add(Sums(sums, weight, total, terms, last), self.parameters)
        units, last_units = (
            part.where(part > 0, 1.0) for part in (added.weight, added.last)
        )  # sums over zero units are 0
        for parameter, gradient in zip(self.parameters, added.gradients, strict=True):
            parameter.grad = None if gradient is None else gradient / units
        return {
            **{name: value / last_units for name, value in added.terms.items()},
            "loss": added.loss / units,
        }, samples

    def _loss(self) -> tuple[Loss, int]:
        """Loss of the rows of this process, and the number of rows of the complete batch."""
        full_batch = self.task.batch(self.player.split, self.batches)
        batch = self.team.share(full_batch)
        self.batches += 1
        if self._pace is not None:
            self._pace(self.updates, self._turn)
        if not len(batch):
            zero = torch.zeros((), device=self.device)
            return Loss(zero, dict.fromkeys(self._terms, zero), 0.0, self.carry), len(full_batch)
        if self.dtype is None:
            loss = self.objective(self.model, batch, self.carry)
        else:
            with torch.autocast(self.device.type, self.dtype):
                loss = self.objective(self.model, batch, self.carry)
        self.carry, self._terms = loss.carry, tuple(loss.terms)
        return loss, len(full_batch)

    def _clip(self) -> dict[str, Tensor]:
        if self.player.clip is None:
            return {}
        self.scaler.unscale_(self.optimizer)
        return {"gradient_norm": nn.utils.clip_grad_norm_(self.parameters, self.player.clip)}

    def _set_rate(self) -> dict[str, Tensor]:
        schedule = self.player.schedule
        if isinstance(schedule, ScoreDependent):
            schedule.watch(self.updates, self._main_metric)
        factor = schedule.factor(self.updates)
        if factor != self.factor:
            self.factor, self.rate = factor, torch.tensor(self.rates[0] * factor)
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * factor
        return {"rate": self.rate}

    def _main_metric(self) -> float:
        """Main metric of the task on the validation split, negated if higher is better."""
        value = self.team.agree(lambda: score(self.model, self.task, "valid")[self.task.main.metric])
        return value if self.task.main.direction == "min" else -value

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "carry": self.team.join(self.carry),
            "updates": self.updates,
            "batches": self.batches,
        }
        if isinstance(self.player.schedule, ScoreDependent):
            state["schedule"] = self.player.schedule.state_dict()
        if isinstance(self.objective, nn.Module):
            state["objective"] = self.objective.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        self.factor = math.nan  # the loaded groups have the learning rate of their last update
        self.scaler.load_state_dict(state["scaler"])
        self.carry = self.team.part(move_carry(state["carry"], self.device))
        self.updates, self.batches = state["updates"], state["batches"]
        if isinstance(self.player.schedule, ScoreDependent):
            self.player.schedule.load_state_dict(state["schedule"])
        if isinstance(self.objective, nn.Module):
            self.objective.load_state_dict(state["objective"])


def _sum(old: Tensor | None, new: Tensor | None) -> Tensor | None:
    """Sum of gradients; None, unlike 0, means that no batch used the parameter."""
    if old is None or new is None:
        return new if old is None else old
    return old + new


def _zero_if_empty(weight: Tensor, value: Tensor) -> Tensor:
    """The value, or zero if it is a mean over zero units, which is NaN."""
    return torch.where(weight > 0, value, torch.zeros_like(value))


def _parameters(model: nn.Module, parts: Sequence[str] | None) -> list[nn.Parameter]:
    named = {name: value for name, value in model.named_parameters() if value.requires_grad}
    if parts is not None:
        for part in parts:
            if not any(_is_in(name, part) for name in named):
                known = {name.partition(".")[0] for name in named}
                kind = f"trainable part of {type(model).__name__}"
                raise Mismatch("not_found", kind=kind, name=part, known=known)
        named = {name: value for name, value in named.items() if any(_is_in(name, part) for part in parts)}
    if not named:
        raise Mismatch(
            "mismatch",
            subject="gradient descent",
            requirement="a model with trainable parameters",
            got=type(model).__name__,
            hint="learner=frozen evaluates a model without training",
        )
    return list(named.values())


def _check_double(parameters: Sequence[nn.Parameter], precision: str) -> None:
    """Check that the parameters are float64 where the precision is, and only there.

    Raises:
        Mismatch: they are not.
    """
    doubles = any(parameter.dtype == torch.float64 for parameter in parameters)
    if doubles != (precision == DOUBLE):
        raise Mismatch(
            "mismatch",
            subject=f"learner.precision={precision}",
            requirement="parameters of that precision",
            got="float64" if doubles else "float32",
            hint="Set precision for the full_batch run: precision=float64.",
        )


def _is_in(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
