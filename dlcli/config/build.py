"""Configurations in, objects out: task, model, learner, on a device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlcli.config.targets import WRONG, check_memory, factory
from dlcli.core.episode import Plays
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.fitting import Fits
from dlcli.core.learner import Learner
from dlcli.core.needs import check_needs
from dlcli.core.precision import model_in, task_in
from dlcli.core.rng import seeded
from dlcli.core.spec import Real
from dlcli.core.task import Batch, Fitted, Supervised, Task, few
from dlcli.core.trials import Trials

_FEW = 4  # rows that a pairing is tried with
_TASK, _INITIAL, _TRIAL, _LEARNER, _STRATEGY = 0x7A5C, 0x1417, 0x7214, 0x1EA2, 0x57A7
"""The parts of a configuration have independent random streams, so that a draw of one does not change another."""


@dataclass(frozen=True)
class Built:
    """What a configuration describes, ready to step."""

    task: Task
    model: nn.Module
    learner: Learner

    @property
    def parameters(self) -> int:
        """Trainable and fitted values of the model."""
        return count(self.model)


def count(model: nn.Module) -> int:
    """Trainable and fitted values of a model, shared ones once."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    fitted = [module for module in model.modules() if isinstance(module, Fits)]
    return trained + sum(buffer.numel() for module in fitted for buffer in module.buffers())


def build_task(config: Mapping[str, Any], device: torch.device, fitted: Fitted | None = None) -> Task:
    """The task of a resolved configuration; one that fits something takes over `fitted` when it is given.

    Its draws are a function of `task.data_seed` (0 for a task without one) and never of the seed of the run, so that
    all seeds, and a later evaluation, have the same data.

    Raises:
        UsageError: the data or a value are wrong.
    """
    node = dict(config["task"])
    given: dict[str, Any] = {}
    if fitted and "fitted" in node:
        node["fitted"], given = None, {"fitted": dict(fitted)}
    data_seed = node.get("data_seed")
    with seeded(device, data_seed if isinstance(data_seed, int) else 0, _TASK):
        task = _checked(factory(node, config, "task")(**given), Task, "task")
    return task_in(task.to(device), config.get("precision", "float32"))


def _checked(made: Any, kind: Any, place: str) -> Any:
    """What was made, when it is of the kind that its place wants."""
    if isinstance(made, kind):
        return made
    raise UsageError(f"{place}._target_: {type(made).__name__} is no {kind.__name__.lower()}")


def build_model(config: Mapping[str, Any], task: Task, device: torch.device) -> nn.Module:
    """The untrained model, its weights a function of the seed."""
    with seeded(device, config["seed"], _INITIAL):
        model = _checked(factory(config["model"], config, "model")(task.spec), nn.Module, "model").to(device)
    return model_in(model, config.get("precision", "float32"))


def build(config: Mapping[str, Any], device: torch.device) -> Built:
    """Everything a run of the resolved configuration needs.

    What model, objectives and learner draw during construction is a function of the seed; the states of the global
    generators are as before afterwards.

    Raises:
        UsageError: something does not exist, does not fit, or has an impossible value.
    """
    task = build_task(config, device)
    model = build_model(config, task, device)
    with seeded(device, config["seed"], _TRIAL):
        _try(model, task)
    with seeded(device, config["seed"], _LEARNER):
        learner = _checked(factory(config["learner"], config, "learner")(model, task), Learner, "learner")
    return Built(task, model, learner)


def build_strategy(config: Mapping[str, Any], trials: Trials) -> Learner:
    """The strategy of a search's configuration.

    Raises:
        UsageError: it does not exist, does not fit, or has an impossible value.
    """
    with seeded(torch.device("cpu"), config["seed"], _STRATEGY):
        return _checked(factory(config["strategy"], config, "strategy")(trials), Learner, "strategy")


def _try(model: nn.Module, task: Task) -> None:
    """Run a few rows through the model, so that an impossible pairing is reported before a run exists.

    Raises:
        Mismatch: the task cannot be trained or scored with the model.
    """
    check_needs(task, model)
    training = model.training
    try:
        with torch.no_grad():
            _try_task(model.eval(), task)
    except UsageError:
        raise
    except WRONG as error:
        check_memory(error)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise _unfit(model, task, f"{type(model).__name__} fails on a batch: {lines[0][:200]}") from error
    finally:
        model.train(training)


def _unfit(model: nn.Module, task: Task, hint: str) -> Mismatch:
    requirement = f"a model for {task.spec.describe()}"
    return Mismatch(
        "mismatch", subject=type(task).__name__, requirement=requirement, got=type(model).__name__, hint=hint
    )


def _try_task(model: nn.Module, task: Task) -> None:
    """An environment is a task that can be played; a task without a loss leaves it to the objectives."""
    if isinstance(task, Plays):
        return _try_policy(model, task)
    batch = few(task.batch("valid", 0), _FEW)
    if not isinstance(task, Supervised):
        task.metrics(model, batch)
        return None
    shape = task.loss(model, batch).value.shape
    if shape:
        raise Mismatch(
            "mismatch", subject=f"the loss of {type(task).__name__}", requirement="a scalar", got=tuple(shape)
        )
    if task.spec.causal and _sees_ahead(model, batch):
        raise Mismatch(
            "mismatch",
            subject=type(task).__name__,
            requirement="a causal model",
            got=type(model).__name__,
            hint="Its output depends on later inputs, which are the targets. Causal: tcn, lstm, gru, transformer.",
        )
    return None


def _try_policy(model: nn.Module, task: Task) -> None:
    """Check the shape of the output for one observation."""
    observation = [
        torch.zeros(1, *(axis or 1 for axis in part.shape), dtype=None if isinstance(part, Real) else torch.int64)
        for part in task.spec.inputs
    ]
    output = model(*observation)
    width = task.spec.target.width
    if not isinstance(output, torch.Tensor) or output.shape != (1, width):
        got = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise _unfit(model, task, f"A policy outputs (batch, {width}); {type(model).__name__} outputs {got}.")


def _sees_ahead(model: nn.Module, batch: Batch) -> bool:
    """True if the output at earlier steps depends on the last input."""
    changed = []
    for part in batch.inputs:
        other = part.clone()
        other[..., -1] = other[..., 0] if part.dtype == torch.long else other[..., -1] + 1.0
        if torch.equal(other, part):
            other[..., -1] = (other[..., -1] == 0).to(part.dtype)
        changed.append(other)
    before, after = model(*batch.inputs)[..., :-1], model(*changed)[..., :-1]
    return not torch.allclose(before, after, rtol=1e-3, atol=1e-4)
