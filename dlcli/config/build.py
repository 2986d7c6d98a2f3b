"""Build task, model, learner and strategy from a resolved configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlcli.config.targets import CONSTRUCTION_ERRORS, check_memory, class_of, factory, takes_keyword
from dlcli.core.episode import PlayableTask
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.fitting import Fittable
from dlcli.core.learner import Learner
from dlcli.core.needs import check_requirements
from dlcli.core.precision import model_to_precision, task_to_precision
from dlcli.core.rng import seeded
from dlcli.core.spec import Real
from dlcli.core.task import Batch, Fitted, SupervisedTask, Task, first_rows, select_metrics
from dlcli.core.trials import TrialRunner

_TEST_ROWS = 4  # rows of the batch that checks whether a model fits a task
_TASK, _INITIAL, _TRIAL, _LEARNER, _STRATEGY = 0x7A5C, 0x1417, 0x7214, 0x1EA2, 0x57A7
"""Each part of a configuration has its own random stream, so that a draw for one part does not change another."""


@dataclass(frozen=True)
class Built:
    """Task, model and learner of a configuration, before the first step."""

    task: Task
    model: nn.Module
    learner: Learner

    @property
    def parameters(self) -> int:
        """Number of trainable and fitted parameters of the model."""
        return count_parameters(self.model)


def count_parameters(model: nn.Module) -> int:
    """Count the trainable and fitted parameters of a model; shared parameters count once."""
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    fitted = [module for module in model.modules() if isinstance(module, Fittable)]
    return trained + sum(buffer.numel() for module in fitted for buffer in module.buffers())


def build_task(config: Mapping[str, Any], device: torch.device, fitted: Fitted | None = None) -> Task:
    """Build the task of a resolved configuration.

    Its random draws are a function of `task.data_seed` (0 for a task without this option) and never of the seed of the
    run, so that all seeds, and a later evaluation, use the same data.

    Args:
        config: resolved configuration.
        device: device of the data.
        fitted: statistics of the training data (vocabulary, normalization) of an earlier run; None fits them again.

    Raises:
        UsageError: the data or an option are invalid.
    """
    node = dict(config["task"])
    arguments: dict[str, Any] = {}
    if fitted and "fitted" in node:
        node["fitted"], arguments = None, {"fitted": dict(fitted)}
    selects = "_target_" not in node or takes_keyword(node, "metrics", config)
    names = None if selects else node.pop("metrics", None)
    data_seed = node.get("data_seed")
    with seeded(device, data_seed if isinstance(data_seed, int) else 0, _TASK):
        task = _checked(factory(node, config, "task")(**arguments), Task, "task")
    return task_to_precision(select_metrics(task, names).to(device), config.get("precision", "float32"))


def _checked(value: Any, kind: Any, node_key: str) -> Any:
    """Return the value if it is an instance of the class or protocol `kind`.

    Raises:
        UsageError: it is an instance of another class.
    """
    if isinstance(value, kind):
        return value
    must = f"a class that implements {kind.__name__}"
    raise UsageError("invalid_value", key=f"{node_key}._target_", must=must, got=type(value).__name__)


def build_model(config: Mapping[str, Any], task: Task, device: torch.device) -> nn.Module:
    """Build the model of a resolved configuration; its initial weights are a function of the seed."""
    with seeded(device, config["seed"], _INITIAL):
        model = _checked(factory(config["model"], config, "model")(task.spec), nn.Module, "model").to(device)
    return model_to_precision(model, config.get("precision", "float32"))


def build(config: Mapping[str, Any], device: torch.device) -> Built:
    """Build task, model and learner of a resolved configuration.

    Random draws of model, objectives and learner during construction are a function of the seed; the states of the
    global generators are restored.

    Raises:
        UsageError: a class does not exist, a value is invalid, or the parts do not fit together.
    """
    _check_precision(config)
    task = build_task(config, device)
    model = build_model(config, task, device)
    with seeded(device, config["seed"], _TRIAL):
        _try(model, task)
    with seeded(device, config["seed"], _LEARNER):
        learner = _checked(factory(config["learner"], config, "learner")(model, task), Learner, "learner")
    return Built(task, model, learner)


def _check_precision(config: Mapping[str, Any]) -> None:
    """Check the precision against the `precisions` that the learner's class states, if it states any.

    Raises:
        UsageError: the learner does not compute in this precision.
    """
    node, precision = config["learner"], config.get("precision", "float32")
    if not isinstance(node, Mapping) or "_target_" not in node:
        return
    cls = class_of(node["_target_"], "learner", config.get("plugins") or ())
    allowed = getattr(cls, "precisions", None)
    if allowed is not None and precision not in allowed:
        hint = f"{cls.__name__} computes in {', '.join(allowed)} whatever the task: use precision={allowed[0]}."
        raise UsageError("unsupported", subject=cls.__name__, feature=f"precision={precision}", hint=hint)


def build_strategy(config: Mapping[str, Any], trials: TrialRunner) -> Learner:
    """Build the strategy of a search.

    Raises:
        UsageError: its class does not exist, does not fit the search space, or has an invalid value.
    """
    with seeded(torch.device("cpu"), config["seed"], _STRATEGY):
        return _checked(factory(config["strategy"], config, "strategy")(trials), Learner, "strategy")


def _try(model: nn.Module, task: Task) -> None:
    """Score a few rows with the model, so that a mismatch is reported before a run directory is created.

    Raises:
        Mismatch: the task cannot be trained or scored with the model.
    """
    check_requirements(task, model)
    training = model.training
    try:
        with torch.no_grad():
            _try_task(model.eval(), task)
    except UsageError:
        raise
    except CONSTRUCTION_ERRORS as error:
        check_memory(error)
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise _model_mismatch(model, task, f"{type(model).__name__} fails on a batch: {first_line[:200]}") from error
    finally:
        model.train(training)


def _model_mismatch(model: nn.Module, task: Task, hint: str) -> Mismatch:
    requirement = f"a model for {task.spec.describe()}"
    return Mismatch(
        "mismatch", subject=type(task).__name__, requirement=requirement, got=type(model).__name__, hint=hint
    )


def _try_task(model: nn.Module, task: Task) -> None:
    """Check the loss, or the metrics of a task without a loss, on a few rows; a policy on one observation."""
    if isinstance(task, PlayableTask):
        return _try_policy(model, task)
    batch = first_rows(task.batch("valid", 0), _TEST_ROWS)
    if not isinstance(task, SupervisedTask):
        task.metrics(model, batch)
        return None
    shape = task.loss(model, batch).value.shape
    if shape:
        raise Mismatch(
            "mismatch", subject=f"the loss of {type(task).__name__}", requirement="a scalar", got=tuple(shape)
        )
    if task.spec.causal and _is_noncausal(model, batch):
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
        hint = f"A policy outputs (batch, {width}); {type(model).__name__} outputs {got}."
        raise _model_mismatch(model, task, hint)


def _is_noncausal(model: nn.Module, batch: Batch) -> bool:
    """True if the output at earlier steps depends on the last input."""
    changed = []
    for part in batch.inputs:
        copy = part.clone()
        copy[..., -1] = copy[..., 0] if part.dtype == torch.long else copy[..., -1] + 1.0
        if torch.equal(copy, part):
            copy[..., -1] = (copy[..., -1] == 0).to(part.dtype)
        changed.append(copy)
    before, after = model(*batch.inputs)[..., :-1], model(*changed)[..., :-1]
    return not torch.allclose(before, after, rtol=1e-3, atol=1e-4)
