"""Configurations in, objects out: task, model, learner, on a device."""

import hashlib
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch
from beartype import BeartypeConf
from beartype.door import is_bearable
from beartype.roar import BeartypeDecorHintException
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from torch import nn

from dlcli.core.errors import Mismatch, Missing, UsageError, nearest
from dlcli.core.learner import Learner
from dlcli.core.random import mix
from dlcli.core.task import Fitted, Task

_OURS = ("dlcli.", "torch.")
_LOOSE = BeartypeConf(is_pep484_tower=True)  # a whole number is a number
_WRONG = (ValueError, TypeError, RuntimeError, LookupError, AttributeError, ArithmeticError, AssertionError)
_PLAIN = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", type(None): "null"}
_INITIAL = 0x1417  # sets the draw of initial weights apart from the players'


@dataclass(frozen=True)
class Built:
    """What a configuration describes, ready to step."""

    task: Task
    model: nn.Module
    learner: Learner

    @property
    def parameters(self) -> int:
        """Trainable values of the model."""
        return count(self.model)


def count(model: nn.Module) -> int:
    """Trainable values of a model, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def build_task(config: Mapping[str, Any], device: torch.device, fitted: Fitted | None = None) -> Task:
    """The task of a resolved configuration; one that fits something takes over `fitted` when it is given.

    Raises:
        UsageError: the data or a value are wrong.
    """
    node = dict(config["task"])
    if fitted and "fitted" in node:
        node["fitted"] = None
        return _checked(_make(node, config, "task")(fitted=dict(fitted)), Task, "task").to(device)
    return _checked(_make(node, config, "task")(), Task, "task").to(device)


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
        return _checked(_make(config["model"], config, "model")(task.spec), nn.Module, "model").to(device)
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
    learner = _checked(_make(config["learner"], config, "learner")(model, task), Learner, "learner")
    return Built(task, model, learner)


def _try(model: nn.Module, task: Task) -> None:
    """One batch through the model, so that a pairing that cannot work is told before there is a run."""
    batch = task.batch("valid", 0)
    training = model.training
    try:
        with torch.no_grad():
            loss = task.loss(model.eval(), batch)
    except UsageError:
        raise
    except _WRONG as error:
        _check_memory(error)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise Mismatch(
            f"{type(model).__name__} does not fit {type(task).__name__} ({task.spec.describe()}): {lines[0][:200]}"
        ) from error
    finally:
        model.train(training)
    if loss.value.dim():
        raise Mismatch(f"the loss of {type(task).__name__} is not one number")


def settle_budget(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with the model's width solved for `budget` parameters, to within 2 %.

    Raises:
        UsageError: the model has no width to scale, or none comes near enough.
    """
    budget = config.get("budget")
    model = dict(config["model"])
    key = model.pop("scales", None)
    settled = config | {"model": model}
    if budget is None:
        return settled
    if key is None:
        raise UsageError("budget: this model names no width to scale (its YAML has no `scales:`)")
    task = build_task(config, torch.device("cpu"))

    def size(value: Any) -> int:
        with torch.device("meta"):
            return count(_make(model | {key: value}, config, "model")(task.spec))

    width = _solve(lambda width: size(_scaled(model[key], width)), budget)
    smaller, below, above = (_scaled(model[key], max(1, width + step)) for step in (-1, 0, 1))
    for candidates in ([below, above], [*_between(smaller, below), *_between(below, above)]):
        best = min(candidates, key=lambda value: abs(size(value) - budget), default=below)
        if abs(size(best) - budget) <= 0.02 * budget:
            return settled | {"model": model | {key: best}}
    raise UsageError(
        f"budget={budget} cannot be met to 2 %: model.{key} gives {size(below)} or {size(above)} parameters"
    )


def _scaled(value: Any, width: int) -> Any:
    """A width, or a list of widths with `width` as the largest and the others in proportion."""
    if isinstance(value, list):
        return [max(1, round(one * width / max(value))) for one in value]
    return width


def _between(below: Any, above: Any) -> list[Any]:
    """Lists whose first or last widths are those of `above`; none between two single widths."""
    if not isinstance(below, list):
        return []
    cuts = range(1, len(below))
    return [above[:cut] + below[cut:] for cut in cuts] + [below[:cut] + above[cut:] for cut in cuts]


def _solve(size: Any, budget: int) -> int:
    """The largest width of at most `budget` parameters, at least 1."""
    low, high = 1, 2
    while size(high) <= budget:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= budget else (low, middle)
    return low


def core(config: Mapping[str, Any]) -> str:
    """A hash of task, model, learner and precision: of a configuration resolved with seed 0, so that runs that differ
    in the seed alone share it. Data files count by their content.
    """
    return _hash({name: _by_content(config[name]) for name in ("task", "model", "learner", "precision")})


def signature(core: str, until: Mapping[str, int | float]) -> str:
    """What makes two runs the same experiment: the core, and when it stops."""
    return _hash({"core": core, "until": dict(until)})


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _by_content(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _by_content(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_by_content(part) for part in value]
    if isinstance(value, str) and Path(value).is_file():
        with Path(value).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return value


def _make(node: Any, config: Mapping[str, Any], place: str) -> Callable[..., Any]:
    """The factory that a configuration node describes, its values checked."""
    if not isinstance(node, dict) or "_target_" not in node:
        raise UsageError(f"{place} names no class: it has no _target_")
    node = {key: value for key, value in node.items() if key != "scales"}
    for where, part in _targets(node, place):
        _check(part, where, config.get("plugins") or ())
    try:
        factory = instantiate(node, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _unwrapped(error) from error
    return _guarded(factory, place)


def _guarded(factory: Callable[..., Any], place: str) -> Callable[..., Any]:
    """The factory; what goes wrong inside it is the user's value, said in words."""

    def make(*given: Any, **more: Any) -> Any:
        try:
            return factory(*given, **more)
        except UsageError:
            raise
        except InstantiationException as error:
            raise _unwrapped(error) from error
        except _WRONG as error:
            _check_memory(error)
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UsageError(f"{place}: {lines[0][:300]}") from error

    return make


def _check_memory(error: BaseException) -> None:
    """Raises MemoryError when that is what PyTorch's error means."""
    if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
        raise MemoryError from error


def _unwrapped(error: InstantiationException) -> UsageError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, UsageError):
        return cause
    _check_memory(cause)
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return UsageError(lines[0][:300])


def _targets(node: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with a `_target_`, and where it stands."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield place, node
        for key, value in node.items():
            yield from _targets(value, f"{place}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _targets(value, f"{place}.{number}")


def _check(node: Mapping[str, Any], place: str, plugins: Sequence[str]) -> None:
    """The class is an allowed one, and the values are of the types its constructor names."""
    cls = _class(node["_target_"], place, plugins)
    try:
        known = inspect.signature(cls).parameters
        hints = get_type_hints(getattr(cls, "__init__"))  # noqa: B009 - mypy takes cls.__init__ for an instance's
    except (ValueError, TypeError, NameError):
        return
    free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    for key, value in node.items():
        if key.startswith("_") or isinstance(value, dict):
            continue
        if key not in known and not free:
            raise UsageError(f"{cls.__name__} has no keyword {key!r}{nearest(key, known)}")
        if cls.__module__.startswith("dlcli.") and key in hints and not _fits(value, hints[key]):
            raise UsageError(f"{place}.{key} is {_words(hints[key])}, not {value!r}")


def _class(target: Any, place: str, plugins: Sequence[str]) -> type:
    """The class of a `_target_`.

    Raises:
        UsageError: it is outside the allowed packages, does not exist, or is not a class.
    """
    allowed = (*_OURS, *(f"{plugin}." for plugin in plugins))
    if not isinstance(target, str) or not target.startswith(allowed):
        raise UsageError(f"{place}._target_ may point into dlcli, torch and plugins=[...], not {target!r}")
    module, _, name = target.rpartition(".")
    if plugins and "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name and not module.startswith(error.name):
            raise Missing(f"{target} needs the package {error.name}: pip install {error.name}") from None
        raise UsageError(f"{place}._target_: there is no module {module}") from None
    except AttributeError:
        known = [key for key in vars(sys.modules[module]) if key[:1].isupper()]
        raise UsageError(f"{place}._target_: {module} has no {name}{nearest(name, known)}") from None
    if not isinstance(found, type):
        raise UsageError(f"{place}._target_ names a class, not {target}")
    if not f"{found.__module__}.".startswith(allowed):
        raise UsageError(f"{place}._target_: {target} is {found.__module__}.{name}, outside dlcli, torch and plugins")
    return found


def _fits(value: Any, hint: Any) -> bool:
    try:
        return is_bearable(value, hint, conf=_LOOSE) and not (isinstance(value, bool) and hint in (int, float))
    except BeartypeDecorHintException:
        return True


def _words(hint: Any) -> str:
    """A type in plain words."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    parts = get_args(hint)
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return " or ".join(_words(part) for part in parts)
    if get_origin(hint) is Sequence and parts:
        return f"a list, each {_words(parts[0])}"
    return str(hint).replace("typing.", "").replace("collections.abc.", "")
