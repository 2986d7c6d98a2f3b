"""What a `_target_` may name, and whether its values are of the types its constructor wants."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from beartype import BeartypeConf
from beartype.door import is_bearable
from beartype.roar import BeartypeDecorHintException
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from dlcli.config import source
from dlcli.core.errors import Missing, UsageError, nearest

_OURS = ("dlcli.", "torch.")
_ESTIMATORS = "sklearn."  # subclasses of BaseEstimator alone
_LOOSE = BeartypeConf(is_pep484_tower=True)  # a whole number is a number
WRONG = (ValueError, TypeError, RuntimeError, LookupError, AttributeError, ArithmeticError, AssertionError)
_PLAIN = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", type(None): "null"}


def factory(node: Any, config: Mapping[str, Any], place: str) -> Callable[..., Any]:
    """The factory that a configuration node describes, its values checked."""
    if not isinstance(node, dict) or "_target_" not in node:
        raise UsageError(f"{place} names no class: it has no _target_")
    node, plugins = without_metadata(node), config.get("plugins") or ()
    for where, part in class_nodes(node, place):
        _check(part, where, plugins)
    try:
        made = instantiate(_with_partials(node, plugins), _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _unwrapped(error) from error
    return _guarded(made, place)


METADATA = ("scales", "eval_keys", "finishes", "short")
"""Keys of a YAML that describe its class and are no keywords of the constructor: `scales` names the keywords that
`budget=` scales, `eval_keys` those that `dlcli eval` may change (number of samples, beam width, temperature),
`finishes` states that a learner ends by itself, `short` where its short keys go."""


def without_metadata(node: Any, keys: Sequence[str] = METADATA) -> Any:
    """The configuration node without the metadata of its models, nested ones included."""
    if isinstance(node, dict):
        return {key: without_metadata(value, keys) for key, value in node.items() if key not in keys}
    return node


def _with_partials(node: Any, plugins: Sequence[str]) -> Any:
    """The node with `_partial_` at each keyword for which the constructor expects a factory of the class.

    A keyword annotated `Callable[[Task], Objective]` takes a factory of objectives: its node must not be called with
    the keywords of the YAML alone. A `Callable[..., Tensor]` is an object that is called itself.
    """
    if isinstance(node, list):
        return [_with_partials(value, plugins) for value in node]
    if not isinstance(node, dict):
        return node
    made = {key: _with_partials(value, plugins) for key, value in node.items()}
    hints = _hints(class_of(node["_target_"], "", plugins)) if "_target_" in node else {}
    return {key: _as_factory(value, hints[key], plugins) if key in hints else value for key, value in made.items()}


def _as_factory(value: Any, hint: Any, plugins: Sequence[str]) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (UnionType, Union):
        return next((new for part in parts if (new := _as_factory(value, part, plugins)) != value), value)
    if isinstance(value, dict) and "_target_" in value:
        if origin is Callable and _makes(class_of(value["_target_"], "", plugins), parts[-1]):
            return {"_partial_": True, **value}
        return value
    if isinstance(value, dict) and origin is Mapping:
        return {key: _as_factory(part, parts[-1], plugins) for key, part in value.items()}
    if isinstance(value, list) and origin is Sequence:
        return [_as_factory(part, parts[0], plugins) for part in value]
    return value


def _makes(cls: type, returned: Any) -> bool:
    """True if calling the class gives what a `Callable` is annotated to return."""
    if returned is Any or getattr(returned, "_is_protocol", False):
        return True
    return isinstance(returned, type) and issubclass(cls, returned)


def _hints(cls: type) -> dict[str, Any]:
    """The annotations of a constructor; empty if they cannot be resolved."""
    try:
        return get_type_hints(getattr(cls, "__init__"))  # noqa: B009 - mypy takes cls.__init__ for an instance's
    except (ValueError, TypeError, NameError):
        return {}


def _guarded(made: Callable[..., Any], place: str) -> Callable[..., Any]:
    """The factory; what goes wrong inside it is the user's value, said in words."""

    def make(*given: Any, **more: Any) -> Any:
        try:
            return made(*given, **more)
        except UsageError:
            raise
        except InstantiationException as error:
            raise _unwrapped(error) from error
        except WRONG as error:
            check_memory(error)
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UsageError(f"{place}: {lines[0][:300]}") from error

    return make


def check_memory(error: BaseException) -> None:
    """Raises MemoryError when that is what PyTorch's error means."""
    if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
        raise MemoryError from error


def _unwrapped(error: InstantiationException) -> UsageError:
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, UsageError):
        return cause
    check_memory(cause)
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return UsageError(lines[0][:300])


def class_nodes(node: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node with a `_target_`, and where it stands."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield place, node
        for key, value in node.items():
            yield from class_nodes(value, f"{place}.{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from class_nodes(value, f"{place}.{number}")


def _check(node: Mapping[str, Any], place: str, plugins: Sequence[str]) -> None:
    """The class is an allowed one, and the values are of the types its constructor names."""
    cls = class_of(node["_target_"], place, plugins)
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


def class_of(target: Any, place: str, plugins: Sequence[str]) -> type:
    """The class of a `_target_`.

    Raises:
        UsageError: it is outside the allowed packages, does not exist, or is not a class.
    """
    allowed = (*_OURS, _ESTIMATORS, *(f"{plugin}." for plugin in plugins))
    if not isinstance(target, str) or not target.startswith(allowed):
        raise UsageError(f"{place}._target_ may point into dlcli, torch and plugins=[...], not {target!r}")
    module, _, name = target.rpartition(".")
    try:
        found = getattr(source.load(module, plugins), name)
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
    if found.__module__.startswith(_ESTIMATORS):
        _check_estimator(found, target, place)
    return found


def _check_estimator(found: type, target: str, place: str) -> None:
    """Raises UsageError where a class of scikit-learn is not an estimator."""
    from sklearn.base import BaseEstimator

    if not issubclass(found, BaseEstimator):
        raise UsageError("invalid_value", key=f"{place}._target_", must="an estimator of scikit-learn", got=target)


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
    if get_origin(hint) is Literal:
        return " or ".join(map(str, parts))
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return " or ".join(_words(part) for part in parts)
    if get_origin(hint) is Literal:
        return " or ".join(map(str, parts))
    if get_origin(hint) is Sequence and parts:
        return f"a list, each {_words(parts[0])}"
    return str(hint).replace("typing.", "").replace("collections.abc.", "")
