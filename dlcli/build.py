"""Configurations in, objects out: task, model, learner, on a device."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcli import catalogue
from dlcli.core.errors import Mismatch, UsageError
from dlcli.core.fitting import Fits
from dlcli.core.learner import Learner
from dlcli.core.precision import model_in, task_in
from dlcli.core.random import mix
from dlcli.core.task import Batch, Fitted, Supervised, Task, few
from dlcli.core.trials import Trials
from dlcli.targets import WRONG, check_memory, factory

_FEW = 4  # rows that a pairing is tried with
_OF_SEARCH = ("strategy", "candidates")
_INITIAL = 0x1417  # sets the draw of initial weights apart from the players'


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

    Raises:
        UsageError: the data or a value are wrong.
    """
    node = dict(config["task"])
    if fitted and "fitted" in node:
        node["fitted"] = None
        task = _checked(factory(node, config, "task")(fitted=dict(fitted)), Task, "task")
    else:
        task = _checked(factory(node, config, "task")(), Task, "task")
    return task_in(task.to(device), config.get("precision", "float32"))


def _checked(made: Any, kind: Any, place: str) -> Any:
    """What was made, when it is of the kind that its place wants."""
    if isinstance(made, kind):
        return made
    raise UsageError(f"{place}._target_: {type(made).__name__} is no {kind.__name__.lower()}")


def build_model(config: Mapping[str, Any], task: Task, device: torch.device) -> nn.Module:
    """The untrained model, its weights a function of the seed."""
    generator_state = torch.get_rng_state()
    torch.manual_seed(mix(config["seed"], _INITIAL))
    try:
        model = _checked(factory(config["model"], config, "model")(task.spec), nn.Module, "model").to(device)
        return model_in(model, config.get("precision", "float32"))
    finally:
        torch.set_rng_state(generator_state)


def build(config: Mapping[str, Any], device: torch.device) -> Built:
    """Everything a run of the resolved configuration needs.

    Raises:
        UsageError: something does not exist, does not fit, or has an impossible value.
    """
    task = build_task(config, device)
    model = build_model(config, task, device)
    _try(model, task)
    learner = _checked(factory(config["learner"], config, "learner")(model, task), Learner, "learner")
    return Built(task, model, learner)


def build_strategy(config: Mapping[str, Any], trials: Trials) -> Learner:
    """The strategy of a search's configuration.

    Raises:
        UsageError: it does not exist, does not fit, or has an impossible value.
    """
    return _checked(factory(config["strategy"], config, "strategy")(trials), Learner, "strategy")


def _try(model: nn.Module, task: Task) -> None:
    """A few rows through the model, so that a pairing that cannot work is told before there is a run."""
    training = model.training
    try:
        with torch.no_grad():
            _learn_from(model.eval(), task) if isinstance(task, Supervised) else _act(model.eval(), task)
    except UsageError:
        raise
    except WRONG as error:
        check_memory(error)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Mismatch(
            f"{type(model).__name__} does not fit {type(task).__name__} ({task.spec.describe()}): {lines[0][:200]}"
        ) from error
    finally:
        model.train(training)


def _learn_from(model: nn.Module, task: Supervised) -> None:
    """Whether the model can be graded, and answers without having seen the answers."""
    batch = few(task.batch("valid", 0), _FEW)
    if task.loss(model, batch).value.dim():
        raise Mismatch(f"the loss of {type(task).__name__} is not one number")
    if task.spec.causal and _sees_ahead(model, batch):
        raise Mismatch(
            f"{type(model).__name__} sees later inputs, and in {type(task).__name__} those are the answers\n"
            "Causal models: tcn, lstm, gru, transformer ..."
        )


def _act(model: nn.Module, task: Task) -> None:
    """Whether the model answers an observation with what an environment wants."""
    seen = [torch.zeros(1, *(axis or 1 for axis in part.shape)) for part in task.spec.inputs]
    answer = model(*seen)
    wanted = (1, task.spec.target.width)
    if not isinstance(answer, torch.Tensor) or answer.shape != wanted:
        raise Mismatch(
            f"{type(model).__name__} does not answer {type(task).__name__} ({task.spec.describe()}) with one value "
            f"for each of {wanted[1]} units"
        )


def _sees_ahead(model: nn.Module, batch: Batch) -> bool:
    """Whether answers to earlier steps depend on the last input."""
    changed = []
    for part in batch.inputs:
        other = part.clone()
        other[..., -1] = other[..., 0] if part.dtype == torch.long else other[..., -1] + 1.0
        if torch.equal(other, part):
            other[..., -1] = (other[..., -1] == 0).to(part.dtype)
        changed.append(other)
    before, after = model(*batch.inputs)[..., :-1], model(*changed)[..., :-1]
    return not torch.allclose(before, after, rtol=1e-3, atol=1e-4)


def core(config: Mapping[str, Any]) -> str:
    """A hash of task, model, learner and precision, and of what else searches and sketches are of: of a configuration
    resolved with seed 0, so that runs that differ in the seed or in how the work is divided (devices,
    chunk) alone share it. Data files count by their content.
    """
    more = [name for name in (*_OF_SEARCH, *catalogue.OF_SKETCH) if name in config]
    hashed = {name: _by_content(config[name]) for name in ("task", "model", "learner", "precision", *more)}
    if isinstance(hashed["task"], dict):
        hashed["task"].pop("metrics", None)  # which metrics are reported changes no number
    if isinstance(hashed["learner"], dict):
        for division in ("devices", "chunk"):
            hashed["learner"].pop(division, None)
    return _hash(hashed)


def signature(core: str, until: Mapping[str, int | float]) -> str:
    """What makes two runs the same experiment: the core, and when it stops."""
    return _hash({"core": core, "until": dict(until)})


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _of_folder(value: Any) -> Any:
    """As `_by_content`, for a value that may also name a folder of data: names and contents of all that is in it."""
    if not isinstance(value, str) or not Path(value).expanduser().is_dir():
        return _by_content(value)
    root, all_of_it = Path(value).expanduser(), hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".")):
        all_of_it.update(f"{path.relative_to(root)}\0".encode())
        all_of_it.update(hashlib.sha256(path.read_bytes()).digest())
    return all_of_it.hexdigest()


def _by_content(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _of_folder(part) if key == "path" else _by_content(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_by_content(part) for part in value]
    if isinstance(value, str) and Path(value).is_file():
        with Path(value).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return value
